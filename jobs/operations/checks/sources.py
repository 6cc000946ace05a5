"""Can every source be read, now, with the credentials there are: without landing anything."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connectors.base import SourceError
from connectors.secrets import FILE, is_open, missing, names_in, written
from jobs.errors import describe
from jobs.journal import VERSION, Journal, JournalError
from jobs.journal.reading import open_to_read
from jobs.known import known_deliveries
from jobs.operations.checks import Finding, ok, warning, wrong
from jobs.settings.base import Section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.config import Config, Source
    from jobs.ledger import Entry

_PATIENCE = 30.0
_SKEW = 300.0


def check_secrets(config: Config) -> Iterator[Finding]:
    """See that every variable and file can be had that the config file names for a secret."""
    named = sorted(set(_named_in(config)))
    wanting = [f"{why} ({place})" for name, place in named if (why := missing(name))]
    if wanting:
        yield wrong(
            "secrets",
            f"{len(wanting)} of {len(named)} cannot be had: {'; '.join(wanting)}",
            "set them where the job is started (systemd: EnvironmentFile, Kubernetes: envFrom or "
            "a mounted file), and where you run the doctor",
        )
    elif named:
        yield ok("secrets", f"{len(named)} named, all set")
    bare = sorted({written(name) for name, _ in named if is_open(name)})
    if bare:
        yield warning(
            "secret files", f"anybody here may read {', '.join(bare)}", "chmod o-r, for each"
        )


def _named_in(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each secret that the config file names, and the section and key that name it."""
    named: list[tuple[str, str, str]] = []
    for source in config.sources:
        if not source.is_retired:
            found = names_in(source.connector).items()
            named += [(source.name, key, name) for key, name in found]
    for lever in config.levers:
        named += [(f"levers: {lever.name}", key, name) for key, name in names_in(lever).items()]
    for field in fields(config):
        section = getattr(config, field.name)
        if isinstance(section, Section):
            keys = [(key, str(name)) for key, name in section if key.endswith("_env") and name]
            named += [(field.name, key, name) for key, name in keys]
    for place, key, name in named:
        kind = "file" if name.startswith(FILE) else "env"
        yield name, f"[{place}] {key.removesuffix('env')}{kind}"


def check_mail(config: Config) -> Iterator[Finding]:
    """Say hello to the mail server, and log in where the config says so; nothing is mailed."""
    from jobs.mail import MailError, Server  # noqa: PLC0415  (not every doctor mails)

    mail = config.mail
    if not mail.host:
        if mail.is_on or config.operations.operators:
            told = "[mail] has no host: mails are written as files, and nobody is mailed"
            yield warning("mail", told, "set host, or take the recipients out")
        return
    try:
        with Server(mail):
            yield ok("mail", f"{mail.host}:{mail.port} answers")
    except MailError as error:
        fix = error.__notes__[-1].removeprefix("fix: ")
        yield wrong("mail", str(error), fix)


def check_sources(config: Config) -> Iterator[Finding]:
    """Ask every source for its first new delivery, all at once, for half a minute at most."""
    entries = _landed(config.state_dir / "journal.sqlite")
    found: dict[str, list[Finding]] = {source.name: [] for source in config.sources}
    threads = [
        threading.Thread(target=_look, args=(source, entries, config, found), daemon=True)
        for source in config.sources
        if not source.is_retired
    ]
    for thread in threads:
        thread.start()
    end = datetime.now(UTC).timestamp() + _PATIENCE
    for thread in threads:
        thread.join(max(end - datetime.now(UTC).timestamp(), 0))
    for source in config.sources:
        if source.is_retired:
            yield ok(f"source {source.name}", "retired: nothing is fetched")
            continue
        findings = list(found[source.name])
        yield from findings
        if not any(finding.check == f"source {source.name}" for finding in findings):
            yield warning(
                f"source {source.name}",
                f"no answer within {_PATIENCE:.0f} s",
                "run `mlspend extract` to see what it does, and how long it takes",
            )


def _landed(path: Path) -> list[Entry]:
    """Return what has landed, as a journal says that need not be brought up to date for it."""
    if not path.exists():
        return []
    with suppress(JournalError, sqlite3.Error):
        with closing(open_to_read(path)) as con:
            (version,) = con.execute("pragma user_version").fetchone()
        if version == VERSION:
            with Journal(path) as journal:
                return journal.deliveries()
    return []


def _look(
    source: Source, entries: list[Entry], config: Config, found: dict[str, list[Finding]]
) -> None:
    check = f"source {source.name}"
    address = _address(source)
    if address:
        found[source.name] += _server_findings(check, address)
    if not any(finding.check == check for finding in found[source.name]):
        found[source.name].append(_first_step(check, source, entries, config))


def _address(source: Source) -> str:
    """Return the address of a source that is a server, empty for any other."""
    for key in ("url", "root"):
        value = str(getattr(source.connector, key, ""))
        if value.startswith(("http://", "https://")):
            parts = urlsplit(value)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return ""


def _server_findings(check: str, address: str) -> Iterator[Finding]:
    """See that a server answers at all, and compare clocks."""
    from connectors.reach import ask_once  # noqa: PLC0415  (loads an HTTP client)

    try:
        reply = ask_once(address)
    except OSError as error:
        yield wrong(check, f"{address} does not answer: {error}", "check address, DNS, firewall")
        return
    if reply.at is not None:
        skew = (datetime.now(UTC) - reply.at).total_seconds()
        if abs(skew) > _SKEW:
            yield warning(
                "clock",
                f"this machine is {skew / 60:+.0f} minutes from the clock of {address}",
                "set the clock that is wrong, and keep it set (chrony, systemd-timesyncd)",
            )


def _first_step(check: str, source: Source, entries: list[Entry], config: Config) -> Finding:
    """Let the connector find its first new delivery, and read a byte of it; land nothing."""
    known = known_deliveries(source.name, entries, config.state_dir / "raw")
    try:
        first = next(iter(source.connector.deliveries(known)), None)
        if first is None:
            return ok(check, "reachable, nothing new")
        if first.files:
            with first.files[0].open() as stream:
                stream.read(1)
    except SourceError as error:
        notes = [line.removeprefix("fix: ") for line in error.__notes__ if line.startswith("fix:")]
        return wrong(check, str(error), "; ".join(notes))
    except Exception as error:  # noqa: BLE001  (a source's own libraries fail in their own ways)
        return wrong(check, describe(error), "the night would end here; run `mlspend extract`")
    return ok(check, f"reachable, {first.table} {first.unit} is new")
