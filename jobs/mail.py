"""Handing mails to a server, each step told apart: what came before the text may be tried again.

Once a server may have taken the text, nobody can know whether it did: such a mail is `unknown`, and
is never sent again by itself.

Source: https://www.rfc-editor.org/rfc/rfc5321 (4.2.1 replies, 4.5.3.2 time-outs)
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.policy import SMTP
from typing import TYPE_CHECKING, Self

from connectors.base import SourceError
from connectors.secrets import secret_of, written

if TYPE_CHECKING:
    from email.message import EmailMessage

    from jobs.journal.mails import State
    from jobs.settings.mail import Mail

_TRY_LATER = range(400, 500)
_TAKEN = (250, 251, 252)


class MailError(Exception):
    """The mail server cannot be used. The notes say which, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a mail."""

    state: State
    words: str


@dataclass(slots=True)
class Server:
    """A mail server; a context manager that says goodbye."""

    settings: Mail
    _smtp: smtplib.SMTP | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        """Connect, and log in where the config says so.

        Raises: MailError
        """
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        """Say goodbye; what was handed over stands, whatever comes of that."""
        self._leave()

    def send(self, message: EmailMessage, recipient: str) -> Answer:
        """Hand over a mail for one recipient.

        Raises: MailError where the server cannot be reached any more.
        """
        smtp = self._smtp or self._connect()
        try:
            refusal = self._announce(smtp, recipient)
            if refusal is not None:
                with suppress(smtplib.SMTPException, OSError):
                    smtp.rset()
                return refusal
        except (smtplib.SMTPException, OSError) as error:
            self._leave()
            return Answer("deferred", f"cut off before the text: {_told(error)}")
        return self._hand_over(smtp, message.as_bytes(policy=SMTP))

    def _announce(self, smtp: smtplib.SMTP, recipient: str) -> Answer | None:
        smtp.ehlo_or_helo_if_needed()
        code, words = smtp.mail(self.settings.from_address)
        if code in _TAKEN:
            code, words = smtp.rcpt(recipient)
        return None if code in _TAKEN else _refusal(code, words)

    def _hand_over(self, smtp: smtplib.SMTP, text: bytes) -> Answer:
        try:
            code, words = smtp.data(text)
        except smtplib.SMTPDataError as error:  # it did not want the text at all
            return _refusal(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self._leave()
            return Answer("unknown", f"cut off while the text was handed over: {_told(error)}")
        return Answer("sent", _words(code, words)) if code in _TAKEN else _refusal(code, words)

    def _connect(self) -> smtplib.SMTP:
        settings = self.settings
        try:
            self._smtp = _open(settings)
            if settings.username_env:
                self._smtp.login(*_credentials(settings))
        except (smtplib.SMTPException, OSError) as error:
            self._leave()
            raise _explained(error, settings) from None
        except MailError:
            self._leave()
            raise
        return self._smtp

    def _leave(self) -> None:
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
            with suppress(OSError):
                self._smtp.close()
            self._smtp = None


def _open(settings: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=settings.ca_path or None)
    timeout = settings.timeout_seconds
    if settings.tls == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout, context=context)
    smtp = smtplib.SMTP(settings.host, settings.port, timeout=timeout)
    try:
        if settings.tls == "starttls":
            smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
    except (smtplib.SMTPException, OSError):
        smtp.close()
        raise
    return smtp


def _explained(error: Exception, settings: Mail) -> MailError:
    where = f"{settings.host}:{settings.port}, [mail] of the config file"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        what = f"the mail server does not let us in: {error.smtp_code}"
        fix = f"check {_written(settings)}"
    elif isinstance(error, ssl.SSLError):
        what = f"the mail server's certificate or TLS is not accepted: {error.reason}"
        fix = 'check host and tls ("starttls" is port 587\'s, "tls" is 465\'s), or ca_path'
    else:
        what = f"the mail server cannot be reached: {_told(error)}"
        fix = "check host, port and tls; what was not sent is sent by the next night"
    return MailError(what, where=where, fix=fix)


def _credentials(settings: Mail) -> tuple[str, str]:
    try:
        name, password = (
            secret_of(named, where="[mail]")
            for named in (settings.username_env, settings.password_env)
        )
    except SourceError as error:
        raise MailError(
            f"the mail server's name or password is not there: {error}",
            where=_written(settings),
            fix="set both where cron or systemd starts mlspend, or name files that hold them",
        ) from error
    return name, password


def _written(settings: Mail) -> str:
    return f"{written(settings.username_env)} and {written(settings.password_env)}"


def _refusal(code: int, words: bytes | str) -> Answer:
    return Answer("deferred" if code in _TRY_LATER else "refused", _words(code, words))


def _words(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return "".join(sign if sign.isprintable() else " " for sign in f"{code} {text}")[:300]


def _told(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    return "".join(sign if sign.isprintable() else " " for sign in text)[:300]
