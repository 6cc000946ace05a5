"""`[mail]`: whom the digests go to, and by which server."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs.settings.base import Section

if TYPE_CHECKING:
    from pathlib import Path

_UNSAFE = set(" ,;:<>()[]\"'\\")
_LONGEST = 254
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
Day = Literal["daily", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def is_address(text: str) -> bool:
    """Tell whether a text is one plain mail address, which a header may hold as it is."""
    name, at, host = text.rpartition("@")
    is_whole = bool(name and at and host) and len(text) <= _LONGEST
    return is_whole and text.isascii() and text.isprintable() and not set(text) & _UNSAFE


def _checked(text: str) -> str:
    if not is_address(text):
        raise ValueError("one mail address, such as ada@acme.example")
    return text


Address = Annotated[str, AfterValidator(_checked)]
Addresses = Annotated[tuple[Address, ...], Field(strict=False)]


class Mail(Section):
    """Who gets a digest, when, and how it is sent."""

    from_address: Address = "mlspend@localhost"
    reply_to: Address | Literal[""] = ""
    send_on: Day = "monday"
    days: Annotated[int, Field(ge=1, le=92)] = 7
    to: Literal["spenders", "everyone", "nobody"] = "nobody"
    finance: Addresses = ()
    groups: dict[str, Addresses] = Field(default_factory=dict)
    site_url: Annotated[str, Field(pattern=r"^(https?://[^\s\"'<>]+)?$")] = ""
    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_path: str = ""
    username_env: str = ""
    username_file: str = ""
    password_env: str = ""
    password_file: str = ""
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    most_mails: Annotated[int, Field(ge=1, le=100_000)] = 1000
    stale_days: Annotated[int, Field(ge=1, le=366)] = 7

    @property
    def is_on(self) -> bool:
        """Tell whether anybody gets a digest."""
        return self.to != "nobody" or bool(self.finance) or bool(self.groups)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.tls == "none" and self.host and self.host not in _LOOPBACK:
            raise ValueError(
                'a server reached with tls = "starttls" or "tls"; "none" is loopback\'s'
            )
        if bool(self.username_env or self.username_file) != bool(
            self.password_env or self.password_file
        ):
            raise ValueError("complete: the user's name and the password go together")
        return self


def mail_of(config_path: Path) -> Mail:
    """Return `[mail]` of a config file that may be wrong in every other place."""
    try:
        table = tomllib.loads(config_path.read_text(encoding="utf-8")).get("mail", {})
        return Mail.model_validate(table).settled(config_path.absolute().parent)
    except (OSError, ValueError):
        return Mail()
