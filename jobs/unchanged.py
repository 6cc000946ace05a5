"""Whether a night has anything to build, told without loading the warehouse."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.config import Config
    from jobs.journal.findings import Mute
    from jobs.ledger import Entry
    from queries.claims import Claim

_CODE = ("connectors", "queries")
_ENDINGS = (".py", ".sql", ".csv")


def digest_of_inputs(
    config: Config, entries: Iterable[Entry], mutes: Iterable[Mute], claims: Iterable[Claim]
) -> str:
    """Return a digest of all that a build reads: deliveries, settings, mutes, claims and code.

    What earlier nights found is read, too, and left out: nothing is to be built because of it.
    """
    total = hashlib.sha256()
    names = {source.name for source in config.sources}
    for entry in entries:
        if entry.source in names:
            total.update(f"{entry.id} {entry.state} {entry.is_collected}\n".encode())
    total.update(f"{sorted(names)} {config.attribution!r} {config.quotas!r}\n".encode())
    total.update(f"{config.shared_costs!r} {config.invoices!r} {config.currency!r}\n".encode())
    total.update(f"{config.left_out!r}\n".encode())
    total.update(f"{sorted(config.detectors.items())!r}\n".encode())
    for mute in mutes:
        total.update(f"{mute.finding_id} {mute.muted_until}\n".encode())
    for claim in claims:
        total.update(f"{claim!r}\n".encode())
    if not config.privacy.is_open:
        from jobs.privacy import fingerprint_of  # noqa: PLC0415  (loads more than most nights need)

        total.update(f"{fingerprint_of(config)}\n".encode())
    total.update(_code())
    return total.hexdigest()


@cache
def _code() -> bytes:
    """Return a digest of the code; it stays what it is while a command runs."""
    total = hashlib.sha256()
    for package in _CODE:
        home = Path(__file__).parents[1] / package
        for path in sorted(home.rglob("*")):
            if path.suffix in _ENDINGS:
                total.update(f"{path.relative_to(home)}\0".encode() + path.read_bytes())
    return total.digest()
