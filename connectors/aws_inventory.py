"""What there is in an AWS account, as its APIs list it, or as answers that were saved.

An extraction delivers AWS's own answers, a row per page, for each region: machines, volumes,
snapshots and images in every state, with whom they are shared, templates, backups, addresses,
balancers, NAT gateways and buckets. The unit is the UTC day; the newest extraction of a day counts.
A kind that AWS refuses to list is delivered as refused, so that it counts as unknown and not as
empty; the rest goes on, and the permission that is wanting is named at the end.

Saved answers lie as

    <root>/<UTC day>/<account>/<region>/<service>.<operation>.json      or .json.gz

and hold what the operation answered, one page after the other; `global` is the region of buckets
and of `ec2.describe_regions`. What was asked of one thing after the other is saved as
`{"asked": {"TargetGroupArn": "..."}, "answer": {...}}`. A file that is not there counts as refused.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.aws_calls import CALLS, KINDS, REGIONS, Answer
from connectors.base import SourceError
from connectors.inventory_answers import (
    ANSWERS,
    NOT_SAVED,
    Listed,
    check_kinds,
    check_names,
    delivery_of,
    saved_deliveries,
    saved_pages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.aws_asking import Account
    from connectors.aws_calls import Call
    from connectors.base import Delivery, Known, Table

_WHERE = "[connectors.aws_inventory]"
_GLOBAL = "global"
_MOST = 1000
_PLACES = "<account>/<region>/ec2.describe_volumes.json"
_NAMES = frozenset(call.name for call in (REGIONS, *CALLS))


@dataclass(frozen=True, slots=True)
class AwsInventory:
    """One AWS account, or a folder of answers about some."""

    root: str = ""
    """A folder of saved answers; empty: AWS is asked, with the credentials that boto3 finds."""
    regions: tuple[str, ...] = ("all",)
    """Regions to look at; `all` is every region that is enabled in the account."""
    role_arn: str = ""
    """A role to assume first, such as that of another account."""
    external_id: str = ""
    """What the role's trust policy asks for, if it does."""
    without: tuple[str, ...] = ()
    """Kinds not to be asked about, such as `backup_plan`; they count as unknown."""
    endpoint_url: str = ""
    """Another address than AWS's own, for a service that speaks like it."""
    page_size: int = 500
    """Things per answer, where AWS lets that be chosen."""

    name: ClassVar[str] = "aws_inventory"
    tables: ClassVar[Sequence[Table]] = (ANSWERS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield today's answers, or those of each saved day that changed.

        Raises: SourceError that lists what AWS refused, after all the rest was yielded.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the answers of a time; of a folder, the days that are there."""
        self.check()
        if self.root:
            for delivery in saved_deliveries(self.root, self._saved_day, places=_PLACES):
                if not known.has(delivery.table, delivery.unit, delivery.version):
                    yield delivery
        else:
            yield from self._asked(known, at.astimezone(UTC))

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises: SourceError
        """
        check_kinds(self.without, KINDS, _WHERE)
        if not self.regions or ("all" in self.regions and len(self.regions) > 1):
            raise SourceError(
                "regions must be names of regions, or all", where=_WHERE, fix='write ["all"]'
            )
        if not 5 <= self.page_size <= _MOST:  # noqa: PLR2004 - the least that EC2 takes
            raise SourceError(
                f"page_size is {self.page_size}", where=_WHERE, fix=f"write 5 to {_MOST}"
            )

    def _calls(self, *, is_global: bool) -> list[Call]:
        return [
            call
            for call in CALLS
            if call.is_global == is_global and call.resource_type not in self.without
        ]

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        from connectors.aws_asking import Account, complain  # noqa: PLC0415 - loads boto3

        account = Account(self.role_arn, self.external_id, self.endpoint_url, self.page_size)
        account_id = account.account_id
        answers = account.ask([REGIONS, *self._calls(is_global=True)], account.home)
        for region in self._regions(answers, account):
            answers += account.ask(self._calls(is_global=False), region)
        delivery = delivery_of(
            at.date().isoformat(), at, [_listed(account_id, answer) for answer in answers]
        )
        if not known.has(delivery.table, delivery.unit, delivery.version):
            yield delivery
        complain(answers, f"account {account_id}")

    def _regions(self, answers: Sequence[Answer], account: Account) -> Sequence[str]:
        """Return the regions to look at.

        Raises: SourceError where they are not known.
        """
        if self.regions != ("all",):
            return self.regions
        pages = [answer.page for answer in answers if answer.call is REGIONS and answer.page]
        if not pages:
            raise SourceError(
                "AWS does not say which regions are enabled",
                where=f"{_WHERE} account {account.account_id}",
                fix=f"grant {REGIONS.permission}, or write the regions into `regions`",
            )
        return sorted(str(region["RegionName"]) for page in pages for region in page["Regions"])

    def _saved_day(self, folder: Path) -> Iterator[Listed]:
        for of_region in sorted(folder.glob("*/*")):
            if of_region.is_dir() and self._wants(of_region.name):
                for answer in self._saved_region(of_region):
                    yield _listed(of_region.parent.name, answer)

    def _wants(self, region: str) -> bool:
        return self.regions == ("all",) or region in (*self.regions, _GLOBAL)

    def _saved_region(self, folder: Path) -> Iterator[Answer]:
        is_global = folder.name == _GLOBAL
        region_id = "" if is_global else folder.name
        check_names(folder, _NAMES)
        for call in [*([REGIONS] if is_global else ()), *self._calls(is_global=is_global)]:
            pages = saved_pages(folder, call.name)
            for page in pages or ():
                is_about = page.keys() == {"asked", "answer"}
                asked = page["asked"] if is_about else {}
                yield Answer(call, region_id, asked, page["answer"] if is_about else page)
            if not pages:
                yield Answer(call, region_id, {}, None, NOT_SAVED if pages is None else "")


def _listed(account_id: str, answer: Answer) -> Listed:
    return Listed(
        account_id,
        answer.call.resource_type,
        answer.call.name,
        answer.page,
        region_id=answer.region_id,
        asked=answer.asked,
        error=answer.error,
    )
