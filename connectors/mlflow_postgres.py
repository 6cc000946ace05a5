"""MLflow read from its PostgreSQL database, by the statements of `mlflow_db`.

A transaction is a page, and a connection that a server breaks off, or a replica that has to catch
up with its primary, costs that page alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import psycopg
import stamina
from psycopg.conninfo import make_conninfo

from connectors.base import SourceError
from connectors.mlflow_db import Database
from connectors.patience import tell_of_waits
from connectors.tally import count_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

T = TypeVar("T")

tell_of_waits()
_ATTEMPTS = 5


@dataclass(slots=True)
class Postgres(Database):
    """A database server, asked in read-only transactions; connects again where it went away."""

    connect: Callable[[], psycopg.Connection]
    connection: psycopg.Connection

    columns_of: ClassVar[str] = (
        "select column_name from information_schema.columns "
        "where table_name = ? and table_schema = any(current_schemas(false))"
    )

    def read(self, question: Callable[[], T]) -> T:
        """Answer a question within one transaction; anew where the server broke it off.

        Raises: SourceError
        """
        try:
            for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, wait_initial=0.5
            ):
                with attempt:
                    return self._read_once(question)
        except psycopg.Error as error:
            raise _postgres_says(error, self.where) from error
        raise AssertionError  # a retry either returns or raises

    def _read_once(self, question: Callable[[], T]) -> T:
        if self.connection.closed:
            self.connection = self.connect()
        try:
            return question()
        finally:
            if not self.connection.closed:
                self.connection.rollback()

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, with `?` for each value."""
        self.requests += 1
        count_request()
        return self.connection.execute(sql.replace("?", "%s").encode(), values).fetchall()


@contextmanager
def open_postgres(
    uri: str, *, user: str | None, password: str | None, where: str, timeout_seconds: int
) -> Iterator[Postgres]:
    """Connect to a database server.

    Raises: SourceError
    """

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(
            make_conninfo(
                uri,
                user=user,
                password=password,
                connect_timeout=10,
                application_name="mlspend",
                options=f"-c statement_timeout={timeout_seconds * 1000}",
            )
        )
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    try:
        connection = connect()
    except psycopg.Error as error:
        raise _postgres_says(error, where) from error
    store = Postgres(where, connect, connection)
    try:
        store.check()
        yield store
    finally:
        store.connection.close()


def _may_pass(error: Exception) -> bool:
    """Tell a broken connection, or a replica that had to catch up, from what will not pass."""
    timed_out = isinstance(error, psycopg.errors.QueryCanceled)
    return isinstance(error, psycopg.OperationalError) and not timed_out


def _postgres_says(error: psycopg.Error, where: str) -> SourceError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return SourceError(
        f"PostgreSQL says: {first_line}",
        where=where,
        fix="check the address, that user and password are named by username_env and "
        "password_env, and that this user may select from MLflow's tables",
    )
