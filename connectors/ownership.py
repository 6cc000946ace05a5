"""Who owns what, as people write it down: rules, overrides and datasets in one TOML file.

    [[overrides]]                                  # before anything else decides
    id = "handover"
    when = { run = "8f3*" }
    team = "vision"
    from = 2026-10-01                              # inclusive; until is exclusive; both optional

    [[rules]]                                      # in this order, the first that matches wins
    id = "ns-nlp"
    when = { namespace = "nlp-*", tag = "cost-center=42*" }
    team = "nlp"
    project = "chat"

    [[datasets]]
    name = "images"
    version = "3"
    uri = "s3://acme-data/images/v3"
    region = "eu-west-1"
    team = "vision"
    from = 2026-10-01                              # the version's first day in this place; optional

Values of `when` are globs; all must match. What can be matched: run, experiment, namespace, source,
sub_account_id, service_name, resource_id, and tag as `key=glob`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, Table
from connectors.local import FrameFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known

MATCHES = (
    "run",
    "experiment",
    "namespace",
    "source",
    "sub_account_id",
    "service_name",
    "resource_id",
)


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the company has written down about who owns what."""

    path: str
    """The TOML file."""

    name: ClassVar[str] = "ownership"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "rules",
            {
                "rule_id": "text",
                "position": "integer",
                "is_override": "flag",
                **{f"match_{what}": "text" for what in MATCHES},
                "match_tag_key": "text",
                "match_tag_value": "text",
                "user_id": "text",
                "team": "text",
                "project": "text",
                "valid_from": "time",
                "valid_to": "time",
            },
        ),
        Table(
            "datasets",
            {
                "dataset": "text",
                "version": "text",
                "uri": "text",
                "region_id": "text",
                "owner_user": "text",
                "owner_team": "text",
                "project": "text",
                "valid_from": "time",
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the rules and the datasets, if the file has changed.

        Raises: SourceError that lists every mistake of the file.
        """
        path = Path(self.path)
        version = digest_of(path)
        if all(known.has(table.name, "all", version) for table in self.tables):
            return
        from connectors.ownership_file import frames_of  # noqa: PLC0415  (polars is slow to import)

        frames = frames_of(path, {table.name: table.columns for table in self.tables})
        for table in self.tables:
            file = FrameFile(f"{path.name}: {table.name}", frames[table.name])
            yield Delivery(table.name, "all", version, written_at(path), [file])
