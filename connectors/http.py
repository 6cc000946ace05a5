"""Asking an HTTP service for JSON, with the patience that services ask for.

Busy answers, cut connections and half answers are asked again, waiting as long as the service says.
A question that is refused because the service does not know who asks (401) is asked once more where
a file holds other credentials by then: tokens of workload identities are written anew each hour.
Redirects are not followed: they would take credentials elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import stamina

from connectors.base import SourceError
from connectors.patience import tell_of_waits
from connectors.tally import count_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

tell_of_waits()
ATTEMPTS = 8
_LONGEST_WAIT = 120.0
_BUSY = frozenset({408, 425, 429})
_UNKNOWN_TO_IT = 401
_REFUSED = frozenset({_UNKNOWN_TO_IT, 403})

Json = dict[str, Any]


class _BusyError(Exception):
    """The service asks for patience."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(f"the server answers {response.status_code} {response.reason_phrase}")
        self.wait = _retry_after(response.headers.get("retry-after", ""))


class _HalfAnswerError(Exception):
    """An answer that breaks off, or is no JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said: JSON, and whether it was what had been asked for."""

    status: int
    reason: str
    json: Json
    is_success: bool
    """That it went well, and the answer is an object."""
    is_redirect: bool
    listed: list[Json] | None = None
    """The objects, where the answer is a list of them that went well."""


@dataclass(slots=True)
class JsonService:
    """An HTTP service that answers in JSON objects."""

    what: str
    """Its name, for errors: `MLflow`."""
    where: str
    """Its address, for errors; without secrets."""
    client: httpx2.Client = field(repr=False)
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    """Reads the headers that say who asks."""
    requests: int = field(default=0, init=False)
    """Requests so far, repeated ones too."""
    is_renewed: bool = field(default=False, init=False)
    """Whether other credentials are told than at the beginning."""

    @classmethod
    def at(
        cls,
        what: str,
        address: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        timeout_seconds: float,
    ) -> Self:
        """Connect to an address, such as `https://mlflow.example`.

        `headers` says who asks; it is called again where the service no longer takes the answer.
        """
        client = httpx2.Client(
            base_url=address.rstrip("/") + "/",
            headers={"user-agent": "mlspend", **headers()},
            timeout=httpx2.Timeout(timeout_seconds, connect=10.0),
            follow_redirects=False,
        )
        return cls(what, address, client, headers)

    def __enter__(self) -> Self:
        """Use the connection for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.client.close()

    def ask(self, method: str, path: str, **sent: Any) -> Answer:
        """Ask once, or as often as it takes.

        Raises: SourceError where the service stays busy or out of reach.
        """
        answer = self._asked(method, path, **sent)
        if answer.status == _UNKNOWN_TO_IT and self._renews():
            answer = self._asked(method, path, **sent)
        return answer

    def _renews(self) -> bool:
        """Read the credentials anew, and tell whether they are others."""
        fresh = dict(self.headers())
        if all(self.client.headers.get(name) == value for name, value in fresh.items()):
            return False
        self.client.headers.update(fresh)
        self.is_renewed = True
        return True

    def _asked(self, method: str, path: str, **sent: Any) -> Answer:
        try:
            for attempt in stamina.retry_context(
                on=_pause, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30
            ):
                with attempt:
                    self.requests += 1
                    count_request()
                    return _read(self.client.request(method, path, **sent))
        except (httpx2.TransportError, _BusyError, _HalfAnswerError) as error:
            raise SourceError(
                f"{self.what} does not answer, after {ATTEMPTS} tries: {error}",
                where=f"{self.where} ({path})",
                fix="check the address and the server's log; the next night goes on from here",
            ) from error
        raise AssertionError  # a retry either returns or raises

    def refusal(self, answer: Answer, path: str, *, said: str, credentials: str) -> SourceError:
        """Return the error for an answer that is not what had been asked for.

        `said` is the service's own word, `credentials` names the config keys that hold them.
        """
        if answer.status in _REFUSED:
            fix = "name the environment variables, or files, that hold the credentials: "
            fix += credentials
            if self.is_renewed:
                fix = "what its file holds now was refused too: see who writes it, and that the "
                fix += f"service takes such tokens ({credentials})"
        elif answer.is_redirect:
            fix = "mlspend follows no redirects, so as not to take credentials elsewhere: write "
            fix += "the address that it leads to into the config"
        else:
            fix = f"the address must be the one that {self.what}'s own clients use"
        return SourceError(
            f"{self.what} answers {answer.status} {said or answer.reason}",
            where=f"{self.where} ({path})",
            fix=fix,
        )


def _read(response: httpx2.Response) -> Answer:
    status = response.status_code
    if status in _BUSY or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise _BusyError(response)
    try:
        answer = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        if response.is_success:
            what = "an answer breaks off, or is not JSON (a login page in front of it?)"
            raise _HalfAnswerError(what) from error
        answer = {}
    is_object = isinstance(answer, dict)
    return Answer(
        status=status,
        reason=response.reason_phrase,
        json=answer if is_object else {},
        is_success=response.is_success and is_object,
        is_redirect=response.is_redirect,
        listed=answer if response.is_success and _is_listed(answer) else None,
    )


def _is_listed(answer: object) -> bool:
    return isinstance(answer, list) and all(isinstance(one, dict) for one in answer)


def _pause(error: Exception) -> bool | float:
    """Tell whether to ask again, and after how many seconds where the server says so."""
    if isinstance(error, _BusyError):
        return True if error.wait is None else error.wait
    return isinstance(error, httpx2.TransportError | _HalfAnswerError)


def _retry_after(text: str) -> float | None:
    """Read the header Retry-After: seconds, or a date."""
    if text.strip().isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)
