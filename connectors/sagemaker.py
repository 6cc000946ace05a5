"""SageMaker: training, processing and transform jobs, endpoints and notebooks, with their tags.

The bill names each of them by its ARN, so that what it cost is theirs alone. A night lists the jobs
that changed since the day before the last one, and those that go on; endpoints and notebooks it
lists whole. What went on and is not listed any more was deleted: it is kept, and ended then.
Tags edited after a job's end move no time: once a week the last month is described again.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.aws_calls import Call
from connectors.base import Delivery, SourceError, Table
from connectors.sagemaker_calls import KINDS, WORKS, described, gone, machines_of
from connectors.seen import Days, Night

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.aws_asking import Account
    from connectors.aws_calls import Answer
    from connectors.base import Known
    from connectors.sagemaker_calls import Kind, Work

_log = logging.getLogger(__name__)

_WHERE = "[connectors.sagemaker]"
_NAMES = tuple(kind.name for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Sagemaker:
    """SageMaker in one account, with the credentials that boto3 finds."""

    regions: tuple[str, ...] = ()
    """Regions to look at; none: that of the credentials."""
    role_arn: str = ""
    """A role to assume first, such as that of another account."""
    external_id: str = ""
    """What the role's trust policy asks for, if it does."""
    without: tuple[str, ...] = ()
    """Kinds not to be asked about, such as `notebook`."""
    endpoint_url: str = ""
    """Another address than AWS's own, for a service that speaks like it."""
    backfill_days: int = 400
    """Days to look back on the first night."""
    overlap_days: int = 1
    """Jobs that changed in the days before the last extraction are read again."""
    rescan_days: int = 35
    """How far back late edits of tags are looked for."""
    rescan_every_days: int = 7
    """How often that is done; 0: every night."""

    name: ClassVar[str] = "sagemaker"
    tables: ClassVar[Sequence[Table]] = (WORKS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the works that are new, changed or not over.

        Raises: SourceError that lists what AWS refused, after all the rest was yielded.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        self.check()
        from connectors.aws_asking import Account  # noqa: PLC0415 - loads boto3

        account = Account(self.role_arn, self.external_id, self.endpoint_url, page_size=100)
        days = Days(self.backfill_days, self.overlap_days, self.rescan_days, self.rescan_every_days)
        extraction = _Extraction(
            account, Night.begin(WORKS, known.cursor(WORKS.name), at.astimezone(UTC), days)
        )
        for region_id in self.regions or (account.home,):
            for kind in KINDS:
                if kind.name not in self.without:
                    extraction.read(kind, region_id)
        yield from extraction.deliver()

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        for name in self.without:
            if name not in _NAMES:
                near = get_close_matches(name, _NAMES, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise SourceError(
                    f'without names "{name}", which is no kind{hint}',
                    where=_WHERE,
                    fix=f"choose of {', '.join(_NAMES)}",
                )
        days = (self.backfill_days, self.overlap_days, self.rescan_days)
        if min(days) < 1 or self.rescan_every_days < 0:
            raise SourceError("days are 1 or more", where=_WHERE, fix="mend the numbers")


class _Extraction:
    """One night: what was asked, and what AWS refused."""

    def __init__(self, account: Account, night: Night) -> None:
        """Begin."""
        self.account = account
        self.night = night
        self.refused: list[Answer] = []
        self.requests = 0

    def read(self, kind: Kind, region_id: str) -> None:
        """Take the works of a kind in a region, and those that are there no more."""
        refused_before = len(self.refused)
        seen: set[str] = set()
        for listing in kind.lists(self.night.since):
            answers = self._ask([listing, *kind.describing(listing)], region_id)
            for work in described(kind, region_id, answers):
                seen.add(work.arn)
                self._take(work)
        if len(self.refused) > refused_before:
            # what could not be read is looked for from the same time on
            self.night.hold()
            self.night.after.open_ids |= self._open(kind, region_id)
            return
        for arn in sorted(self._open(kind, region_id) - seen):
            self.night.take(arn, gone(arn, self.night.at))

    def _ask(self, calls: Sequence[Call], region_id: str) -> list[Answer]:
        answers = self.account.ask(calls, region_id)
        self.requests += len(answers)
        self.refused += [answer for answer in answers if answer.error and not _is_gone(answer)]
        return answers

    def _open(self, kind: Kind, region_id: str) -> set[str]:
        """Return the ARNs of a kind in a region that were not over the last time."""
        sign = f":{region_id}:"
        word = f":{kind.stem.replace('_', '-')}/"
        return {arn for arn in self.night.before.open_ids if sign in arn and word in arn}

    def _take(self, work: Work) -> None:
        if work.kind.name == "endpoint":
            config: Any = {"EndpointConfigName": work.said.get("EndpointConfigName")}
            call = Call("sagemaker", "describe_endpoint_config", "endpoint", config)
            for answer in self._ask([call], work.region_id):
                work.machines = machines_of(answer.page or {})
        ended = work.said.get(work.kind.end)
        self.night.take(
            work.arn,
            work.row(self.night.at),
            open_id="" if work.is_over else work.arn,
            is_past=work.is_over and ended is not None and ended < self.night.floor,
        )

    def deliver(self) -> Iterator[Delivery]:
        """Yield what changed; then name what is unknown, with the permissions that are wanting.

        Raises: SourceError
        """
        _log.info("sagemaker: %d requests, %d works read", self.requests, len(self.night.read))
        yield from self.night.delivery()
        if not self.refused:
            return
        kinds = list(dict.fromkeys(answer.call.resource_type for answer in self.refused))
        grants = list(dict.fromkeys(answer.call.permission for answer in self.refused))
        said = list(dict.fromkeys(answer.error for answer in self.refused))
        places = list(dict.fromkeys(answer.region_id for answer in self.refused))
        raise SourceError(
            f"unknown, because AWS refused: {', '.join(kinds)} ({', '.join(said)})",
            where=f"{_WHERE} {', '.join(places)}",
            fix=f"grant {', '.join(grants)}, or leave them out: without = {kinds}",
        )


def _is_gone(answer: Answer) -> bool:
    """Tell whether something was deleted between being listed and being described."""
    return answer.error == "ValidationException" and "not f" in answer.said.lower()
