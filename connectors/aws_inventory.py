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

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from connectors.aws_calls import CALLS, KINDS, REGIONS, Answer
from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.aws_asking import Account
    from connectors.aws_calls import Call
    from connectors.base import ColumnType, Known

_WHERE = "[connectors.aws_inventory]"
_GLOBAL = "global"
_NOT_SAVED = "NotSaved"
_MOST = 1000
_COLUMNS: dict[str, ColumnType] = {
    "account_id": "text",
    "region_id": "text",
    "resource_type": "text",
    "call": "text",
    "asked": "text",
    "answer": "text",
    "error": "text",
    "observed_at": "time",
}
_SCHEMA = {
    column: pl.String() if kind == "text" else pl.Datetime("us")
    for column, kind in _COLUMNS.items()
}


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
    tables: ClassVar[Sequence[Table]] = (Table("answers", _COLUMNS),)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield today's answers, or those of each saved day that changed.

        Raises: SourceError that lists what AWS refused, after all the rest was yielded.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the answers of a time; of a folder, the days that are there."""
        self._check()
        if self.root:
            yield from self._saved(known)
        else:
            yield from self._asked(known, at.astimezone(UTC))

    def _check(self) -> None:
        """Refuse settings that mean nothing.

        Raises: SourceError
        """
        for kind in self.without:
            if kind not in KINDS:
                near = get_close_matches(kind, KINDS, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise SourceError(
                    f'without names "{kind}", which is no kind{hint}',
                    where=_WHERE,
                    fix=f"choose of {', '.join(KINDS)}",
                )
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
        frame = _frame([(account_id, answer) for answer in answers], at)
        version, unit = _digest_of(frame), at.date().isoformat()
        if not known.has("answers", unit, version):
            yield _delivery(unit, version, at, frame)
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

    def _saved(self, known: Known) -> Iterator[Delivery]:
        """Yield the days of a folder; one that cannot be read does not hold up the others."""
        days = sorted(Path(self.root).glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"))
        if not days:
            raise SourceError(
                "there are no saved answers, in folders named by day",
                where=self.root,
                fix="mend `root`, or save <root>/2026-10-03/<account>/<region>/"
                "ec2.describe_volumes.json and the like",
            )
        errors = []
        for folder in days:
            try:
                yield from self._saved_day(folder, known)
            except SourceError as error:
                errors.append(error)
        if errors:
            if len(errors) > 1:
                errors[0].add_note(f"and so for {len(errors) - 1} more days")
            raise errors[0]

    def _saved_day(self, folder: Path, known: Known) -> Iterator[Delivery]:
        at = _observed_at(folder)
        answers = [
            (of_region.parent.name, answer)
            for of_region in sorted(folder.glob("*/*"))
            if of_region.is_dir() and self._wants(of_region.name)
            for answer in self._saved_region(of_region)
        ]
        if not answers:
            raise SourceError(
                "a day holds no answers",
                where=str(folder),
                fix="save them in <account>/<region>, or take the folder away",
            )
        frame = _frame(answers, at)
        version = _digest_of(frame)
        if not known.has("answers", folder.name, version):
            yield _delivery(folder.name, version, at, frame)

    def _wants(self, region: str) -> bool:
        return self.regions == ("all",) or region in (*self.regions, _GLOBAL)

    def _saved_region(self, folder: Path) -> Iterator[Answer]:
        is_global = folder.name == _GLOBAL
        region_id = "" if is_global else folder.name
        calls = [*([REGIONS] if is_global else ()), *self._calls(is_global=is_global)]
        _check_names(folder)
        for call in calls:
            paths = [folder / f"{call.name}.json", folder / f"{call.name}.json.gz"]
            path = next((path for path in paths if path.exists()), None)
            if path is None:
                yield Answer(call, region_id, {}, None, _NOT_SAVED)
            else:
                pages = list(_pages_of(path))
                for page in pages:
                    is_about = page.keys() == {"asked", "answer"}
                    asked = page["asked"] if is_about else {}
                    yield Answer(call, region_id, asked, page["answer"] if is_about else page)
                if not pages:
                    yield Answer(call, region_id, {}, None)


def _check_names(folder: Path) -> None:
    """Refuse a file that no call would read.

    Raises: SourceError
    """
    names = {call.name for call in (REGIONS, *CALLS)}
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz").removesuffix(".json")
        if path.name.endswith((".json", ".json.gz")) and stem not in names:
            near = get_close_matches(stem, sorted(names), n=1)
            raise SourceError(
                f"{path.name} is no call's" + (f"; is it {near[0]}?" if near else ""),
                where=str(folder),
                fix=f"the calls are {', '.join(sorted(names))}",
            )


def _pages_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers of a file, one after the other, with or without lines between.

    Raises: SourceError for bytes that are not whole.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        decoder, position = json.JSONDecoder(), 0
        while found := re.compile(r"\S").search(text, position):
            page, position = decoder.raw_decode(text, found.start())
            if not isinstance(page, dict):
                raise TypeError("it holds what is no JSON object")  # noqa: TRY301 - told below
            yield page
    except (OSError, EOFError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(
            f"{path.name} is not a whole answer: {error or type(error).__name__}",
            where=str(path),
            fix="save it again; the day's last good answers stay in force",
        ) from error


def _observed_at(folder: Path) -> datetime:
    """Return when a day's answers were saved; noon, where their files are of another day.

    Raises: SourceError for a day that is not one.
    """
    try:
        day = date.fromisoformat(folder.name)
    except ValueError as error:
        raise SourceError(
            "there is no such day", where=str(folder), fix="name the folder by a UTC day"
        ) from error
    noon = datetime.combine(day, time(12), UTC)
    at = max((written_at(path) for path in folder.glob("*/*/*")), default=noon)
    return at if at.date() == day else noon


def _frame(answers: Sequence[tuple[str, Answer]], at: datetime) -> pl.DataFrame:
    rows = [
        {
            "account_id": account_id,
            "region_id": answer.region_id,
            "resource_type": answer.call.resource_type,
            "call": answer.call.name,
            "asked": _as_text(answer.asked),
            "answer": None if answer.page is None else _as_text(answer.page),
            "error": answer.error or None,
            "observed_at": at.replace(tzinfo=None),
        }
        for account_id, answer in answers
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _digest_of(frame: pl.DataFrame) -> str:
    """Return a digest of answers, whenever they were given."""
    digest = hashlib.sha256()
    for row in frame.drop("observed_at").iter_rows():
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _delivery(unit: str, version: str, at: datetime, frame: pl.DataFrame) -> Delivery:
    file = FrameFile(f"answers of {unit}", frame)
    return Delivery("answers", unit, version, at, [file], stated_rows=frame.height)


def _as_text(value: object) -> str:
    """Return an answer as JSON; times as ISO 8601, with their offset."""
    return json.dumps(value, default=_iso, separators=(",", ":"), ensure_ascii=False)


def _iso(value: date) -> str:
    return value.isoformat()
