"""The operators' mail: what went wrong tonight, how to put it right, and what is still in force.

It must also go out where nothing else works: the config file is wrong, the journal is damaged, the
disk is full. So it reads what it needs piece by piece, and lacks what cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import socket
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from jobs.config import ConfigError
from jobs.errors import describe, is_expected
from jobs.operations.stopping import StoppedError
from jobs.settings.mail import mail_of
from jobs.settings.operations import operations_of
from jobs.state import state_dir_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobs.settings.mail import Mail

_TOLD = "last-alarm"
_LONGEST = 60_000
_COMMON = "run `mlspend doctor` for what is wrong with the machine, `mlspend status` for the rest"


def raise_alarm(
    config_path: Path,
    problems: Sequence[BaseException],
    tell: Callable[[str], None],
    *,
    is_stopped: bool,
) -> None:
    """Mail the operators, at most once for a night's set of problems; never raise."""
    operators = operations_of(config_path).operators
    if not operators:
        return
    state_dir = state_dir_of(config_path)
    texts = [_told(problem) for problem in problems]
    day = datetime.now(UTC).date().isoformat()
    key = hashlib.sha256("\0".join([day, *sorted(texts)]).encode()).hexdigest()[:32]
    if state_dir is not None and not _is_first(state_dir / _TOLD, day, key):
        return
    message = compose(operators, texts, config_path, state_dir, key, is_stopped=is_stopped)
    mail = mail_of(config_path)
    message["From"] = mail.from_address
    try:
        tell(send(message, mail, state_dir))
    except Exception as error:  # noqa: BLE001  (whatever it is, the night's own error counts)
        tell(f"note: the operators' mail could not be sent: {_told(error)}")


def send(message: EmailMessage, mail: Mail, state_dir: Path | None) -> str:
    """File a message with the day's mails, and hand it to the mail server; say what was done.

    Raises: OSError where it cannot be filed, MailError where it cannot be handed over.
    """
    told = ""
    if state_dir is not None:
        folder = state_dir / "reports" / f"{datetime.now(UTC):%Y-%m-%d}" / "mails"
        with suppress(OSError):  # the disk may be what is wrong
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"operators-{datetime.now(UTC):%H%M%S}.eml"
            path.write_bytes(message.as_bytes())
            told = f"the operators' mail is filed: {path}"
    if not mail.host:
        return told or "the operators' mail is neither filed nor sent: [mail] has no host"
    from jobs.mail import Server  # noqa: PLC0415  (good nights need it not)

    with Server(mail) as server:
        ends = [server.send(message, recipient) for recipient in message["To"].split(", ")]
    return f"the operators' mail: {', '.join(f'{end.state} ({end.words})' for end in ends)}"


def _told(problem: BaseException) -> str:
    if isinstance(problem, StoppedError):
        return f"error: {problem}"
    if is_expected(problem) or isinstance(problem, ConfigError):
        return describe(problem)
    return (
        f"error: mlspend is at fault: {type(problem).__name__}: {problem}\n"
        "  fix: its log has the traceback; `mlspend --debug nightly` shows it again"
    )


def _is_first(note: Path, day: str, key: str) -> bool:
    """Tell whether these problems were not mailed today, and note that they are.

    Where nothing can be noted, as on a full disk, two mails are better than none.
    """
    told: list[str] = []
    with suppress(OSError, ValueError, KeyError, TypeError):
        row = json.loads(note.read_text(encoding="utf-8"))
        told = list(row["told"]) if row["day"] == day else []
    if key in told:
        return False
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        half = note.with_name(f".{note.name}.half")
        half.write_text(json.dumps({"day": day, "told": [*told, key]}), encoding="utf-8")
        half.replace(note)
    return True


def compose(  # noqa: PLR0913  (each is a part of the mail)
    operators: Sequence[str],
    problems: Sequence[str],
    config_path: Path,
    state_dir: Path | None,
    key: str,
    *,
    is_stopped: bool,
) -> EmailMessage:
    """Return the mail; the same problems on the same day have the same Message-ID."""
    host = socket.gethostname()
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    happened = "failed" if is_stopped else f"ended with {count}"
    now = datetime.now(UTC)
    lines = [
        f"The night of {now:%Y-%m-%d} on {host} {happened}.",
        "Nothing new was published; what was published before stays in force."
        if is_stopped
        else "What could be read counts; what is named below does not, until it is put right.",
        "",
        *problems,
        "",
        *_in_force(config_path, state_dir),
        "",
        f"Config: {config_path.absolute()}",
        f"State:  {state_dir or 'not known: the config file cannot be read'}",
        f"Next:   {_COMMON}",
    ]
    message = EmailMessage(policy=SMTP.clone(raise_on_defect=False))
    message["Subject"] = f"mlspend: the night of {now:%Y-%m-%d} on {host} {happened}"
    message["To"] = ", ".join(operators)
    message["Message-ID"] = f"<night-{now:%Y%m%d}-{key}@mlspend.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_clean("\n".join(lines))[:_LONGEST])
    return message


def _clean(text: str) -> str:
    """Leave out what is neither text nor a line's end: names in errors come from anywhere."""
    return "".join(sign for sign in text if sign == "\n" or sign.isprintable())


def _in_force(config_path: Path, state_dir: Path | None) -> list[str]:
    """Return what readers still see, and what of it is stale."""
    try:
        from jobs.config import read_config  # noqa: PLC0415
        from jobs.operations.status import facts_of, lines_in_force  # noqa: PLC0415

        return lines_in_force(facts_of(read_config(config_path)))
    except Exception:  # noqa: BLE001  (the mail goes out with what can be told)
        return [f"What is in force cannot be told: `ls {state_dir or 'state'}/generations`"]
