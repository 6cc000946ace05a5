"""What there is in Google Cloud, as Cloud Asset Inventory lists it, or as lists that were saved.

An extraction delivers Google's own answers, a row per page, for a project, a folder or a whole
organization: machines, disks, snapshots and their schedules, images, templates, addresses,
balancers and buckets. The unit is the UTC day; the newest extraction of a day counts. A kind that
Google refuses to list is delivered as refused, so that it counts as unknown and not as empty.

Saved answers lie as

    <root>/<UTC day>/<scope>/assets.<kind>.json      or .json.gz

with a scope such as `organizations-123` or `projects-acme-ml`, and hold what `assets.list` answered
with `contentType=RESOURCE`, one page after the other. A file that is not there counts as refused.

Source: https://docs.cloud.google.com/asset-inventory/docs/asset-types
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from connectors.base import SourceError
from connectors.inventory_answers import (
    ANSWERS,
    NOT_SAVED,
    Listed,
    check_kinds,
    check_names,
    complain,
    delivery_of,
    saved_deliveries,
    saved_pages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from connectors.base import Delivery, Known, Table

_WHERE = "[connectors.gcp_inventory]"
_SCOPE = re.compile(r"(organizations|folders)/\d+|projects/[a-z0-9.:-]+")
_PLACES = "organizations-123/assets.volume.json"
_COMPUTE = "compute.googleapis.com"
PROJECT: Final = "project"
KINDS: Final[Mapping[str, Sequence[str]]] = {
    PROJECT: ("cloudresourcemanager.googleapis.com/Project",),
    "instance": (f"{_COMPUTE}/Instance",),
    "volume": (f"{_COMPUTE}/Disk", f"{_COMPUTE}/RegionDisk"),
    "snapshot": (f"{_COMPUTE}/Snapshot",),
    "image": (f"{_COMPUTE}/Image", f"{_COMPUTE}/MachineImage"),
    "launch_template": (f"{_COMPUTE}/InstanceTemplate",),
    "backup_plan": (f"{_COMPUTE}/ResourcePolicy",),
    "address": (f"{_COMPUTE}/Address", f"{_COMPUTE}/GlobalAddress"),
    "load_balancer": (
        f"{_COMPUTE}/ForwardingRule",
        f"{_COMPUTE}/GlobalForwardingRule",
        f"{_COMPUTE}/BackendService",
        f"{_COMPUTE}/RegionBackendService",
        f"{_COMPUTE}/TargetPool",
    ),
    "bucket": ("storage.googleapis.com/Bucket",),
}
"""What an inventory can tell of -> Google's types of asset; projects, which place the others."""
_NAMES = frozenset(f"assets.{kind}" for kind in KINDS)


@dataclass(frozen=True, slots=True)
class GcpInventory:
    """Projects, folders or organizations of Google Cloud, or a folder of answers about some."""

    scopes: tuple[str, ...] = ()
    """What to look at: `organizations/123`, `folders/123`, `projects/acme-ml`."""
    root: str = ""
    """A folder of saved answers; empty: Google is asked, with the credentials that its own library
    finds: the machine's service account, or GOOGLE_APPLICATION_CREDENTIALS."""
    without: tuple[str, ...] = ()
    """Kinds not to be asked about, such as `load_balancer`; they count as unknown."""
    endpoint_url: str = ""
    """Another address than Google's own."""

    name: ClassVar[str] = "gcp_inventory"
    tables: ClassVar[Sequence[Table]] = (ANSWERS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield today's answers, or those of each saved day that changed.

        Raises: SourceError that lists what Google refused, after all the rest was yielded.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the answers of a time; of a folder, the days that are there."""
        self.check()
        if self.root:
            for delivery in saved_deliveries(self.root, self._saved_day, places=_PLACES):
                if not known.has(delivery.table, delivery.unit, delivery.version):
                    yield delivery
            return
        answers = self._asked()
        at = at.astimezone(UTC)
        delivery = delivery_of(at.date().isoformat(), at, answers)
        if not known.has(delivery.table, delivery.unit, delivery.version):
            yield delivery
        complain(answers, "Google", _WHERE)

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises: SourceError
        """
        check_kinds(self.without, [kind for kind in KINDS if kind != PROJECT], _WHERE)
        for scope in self.scopes:
            if not _SCOPE.fullmatch(scope):
                raise SourceError(
                    f'scopes names "{scope}", which is no scope',
                    where=_WHERE,
                    fix='write "organizations/<number>", "folders/<number>" or "projects/<id>"',
                )
        if not self.scopes and not self.root:
            raise SourceError(
                "there is nothing to look at",
                where=_WHERE,
                fix='write scopes = ["organizations/<number>"], or a `root` of saved answers',
            )

    def _kinds(self) -> dict[str, Sequence[str]]:
        return {kind: types for kind, types in KINDS.items() if kind not in self.without}

    def _asked(self) -> list[Listed]:
        from connectors.gcp_assets import PUBLIC, CloudAssets  # noqa: PLC0415 - loads google.auth

        assets = CloudAssets(self.endpoint_url or PUBLIC)
        return [answer for scope in self.scopes for answer in assets.ask(scope, self._kinds())]

    def _saved_day(self, folder: Path) -> Iterator[Listed]:
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            scope = place.name.replace("-", "/", 1)
            if not _SCOPE.fullmatch(scope):
                raise SourceError(
                    f"{place.name} is no scope",
                    where=str(folder),
                    fix="name the folder like organizations-123 or projects-acme-ml",
                )
            if not self.scopes or scope in self.scopes:
                yield from self._saved(place, scope)

    def _saved(self, place: Path, scope: str) -> Iterator[Listed]:
        check_names(place, _NAMES)
        for kind in self._kinds():
            call = f"assets.{kind}"
            pages = saved_pages(place, call)
            for page in pages or ():
                yield Listed(scope, kind, call, page)
            if not pages:
                yield Listed(scope, kind, call, None, error=NOT_SAVED if pages is None else "")
