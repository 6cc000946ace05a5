"""What models behind an API cost: OpenAI's and Anthropic's own reports, by project, key and user.

Both vendors state cost by project and model, and tokens by key, user and model. A day's cost and
tokens are asked for together, and the model that stages them splits the one by the other. The tag
`user` is the user's id, else the key's: identities make a person of either as an alias.

A day is asked for when it has settled, and again for some nights. A day without cost is not
delivered.

Source: https://platform.openai.com/docs/api-reference/usage/costs
Source: https://platform.claude.com/docs/en/api/admin/cost_report
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile
from connectors.model_api_answers import VENDORS, OddAnswerError, records_of, results_of
from connectors.secrets import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known
    from connectors.http import JsonService
    from connectors.model_api_answers import Question, Record, Vendor

_log = logging.getLogger(__name__)
_WHERE = "[connectors.model_api_usage]"

_MOST_PAGES = 10_000
_TEXTS = (
    "kind",
    "provider",
    "organization",
    "amount",
    "currency",
    "project_id",
    "api_key_id",
    "user_id",
    "model",
    "token_type",
    "description",
)


@dataclass(frozen=True, slots=True)
class ModelApiUsage:
    """One organization at one vendor."""

    admin_key_env: str
    """Environment variable that holds an admin key of the organization."""
    vendor: str = "openai"
    """`openai` or `anthropic`."""
    organization: str = ""
    """A name for the organization; two of one vendor need different ones."""
    url: str = ""
    """Another address than the vendor's own, up to `/v1`."""
    backfill_days: int = 35
    """Days to ask for on the first night."""
    overlap_days: int = 5
    """Days, the newest one known among them, that are asked for again."""
    settle_minutes: int = 300
    """Minutes after a day's end before it is asked for."""
    timeout_seconds: int = 60
    """How long one request may take."""

    name: ClassVar[str] = "model_api_usage"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "records",
            {
                "day": "time",
                **dict.fromkeys(_TEXTS, "text"),
                "minor_digits": "integer",
                "tokens": "integer",
            },
            is_bill=True,
        ),
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises: SourceError
        """
        if self.vendor not in VENDORS:
            raise _misuse(f'vendor is "{self.vendor}"', f"choose one of {', '.join(VENDORS)}")
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise _misuse("url is no address", "begin it with https://")
        if parts.username or parts.password:
            raise _misuse("url holds credentials", "put the key into the environment")
        if min(self.backfill_days, self.overlap_days) < 1 or self.settle_minutes < 0:
            raise _misuse("days are 1 or more, minutes 0 or more", "mend the numbers")

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day that is new or differs from what was delivered.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        vendor = VENDORS[self.vendor]
        last = (at - timedelta(minutes=self.settle_minutes)).date() - timedelta(days=1)
        cursor = known.cursor("records")
        newest = date.fromisoformat(cursor) if cursor else None
        back = self.overlap_days if newest else self.backfill_days
        day = (newest or last) - timedelta(days=back - 1)
        with JsonService.at(
            vendor.provider,
            self.url or vendor.url,
            headers=self._headers,
            timeout_seconds=self.timeout_seconds,
        ) as service:
            while day <= last:
                records = self._records(service, vendor, day)
                if any(record["kind"] == "cost" for record in records):
                    newest = max(newest or day, day)
                    yield from self._delivery(records, day, at, known, newest.isoformat())
                else:
                    _log.info("model_api_usage: no cost on %s", day)
                day += timedelta(days=1)

    def _headers(self) -> dict[str, str]:
        key = secret_of(self.admin_key_env, where=_WHERE)
        if self.vendor == "openai":
            return {"authorization": f"Bearer {key}"}
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}

    def _records(self, service: JsonService, vendor: Vendor, day: date) -> list[Record]:
        """Return a day's records of cost and of use, in an order of their own."""
        found: list[Record] = []
        for question in vendor.questions:
            try:
                for record in self._ask(service, vendor, question, day):
                    record["kind"], record["day"] = question.kind, day.isoformat()
                    record["provider"] = vendor.provider
                    record["organization"] = self.organization or None
                    found.append(record)
            except OddAnswerError as error:
                raise SourceError(
                    f"{vendor.provider}'s answer cannot be used: {error}",
                    where=f"{service.where} ({question.path}), {day}",
                    fix="the next night asks again; days that have landed stay in force",
                ) from error
        return sorted(found, key=lambda record: repr(sorted(record.items(), key=repr)))

    def _ask(
        self, service: JsonService, vendor: Vendor, question: Question, day: date
    ) -> Iterator[Record]:
        page: str | None = None
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            answer = service.ask("GET", question.path, params=vendor.form(question, day, page))
            if not answer.is_success:
                error = answer.json.get("error")
                said = str(error.get("message", "")) if isinstance(error, dict) else ""
                raise service.refusal(
                    answer, question.path, said=said[:200], credentials="admin_key_env"
                )
            results, page = results_of(answer.json, day)
            for result in results:
                yield from records_of(self.vendor, question.kind, result)
            if page is None:
                return
            if page in seen:
                break
            seen.add(page)
        raise OddAnswerError("its pages come round again, or do not end")

    def _delivery(
        self, records: Sequence[Record], day: date, at: datetime, known: Known, cursor: str
    ) -> Iterator[Delivery]:
        version = hashlib.sha256(repr(records).encode()).hexdigest()[:32]
        if known.has("records", day.isoformat(), version):
            return
        import polars as pl  # noqa: PLC0415  (slow to import)

        columns = self.tables[0].columns
        rows = [{column: record.get(column) for column in columns} for record in records]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
        files = [FrameFile(f"{self.vendor} {day}", frame)]
        lines = sum(record["kind"] == "cost" for record in records)
        yield Delivery("records", day.isoformat(), version, at, files, cursor, stated_rows=lines)


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
