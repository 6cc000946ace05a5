"""Bills, rates and lists that a connector reads itself, damaged at random: never quietly wrong.

Each is refused with the file and a fix, or what is delivered is what the standard library finds in
the same bytes. Bills that SQL reads are damaged in `tests/queries/test_damaged_samples.py`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from connectors.alibaba_bill import AlibabaBill
from connectors.aws_cur import AwsCur
from connectors.azure_cost import AzureCost
from connectors.base import SourceError
from connectors.exchange_rates import ExchangeRates
from connectors.model_api_answers import OddAnswerError, records_of, results_of
from connectors.opencost import Opencost
from connectors.s3_access_logs import S3AccessLogs
from connectors.s3_inventory import S3Inventory
from jobs.fetching import RefusedDeliveryError, copy_file
from jobs.progress import NoProgress
from tests.connectors.azure_runs import write_pair
from tests.connectors.known import Memory
from tests.connectors.test_mapped_csv import LABELS, SERVERS
from tests.connectors.test_s3_reads import LOG, ROWS, packed_csv, record, write_inventory
from tests.queries.bills import DATA
from tests.queries.damage import damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from connectors.base import Connector
    from connectors.mapped_csv import MappedCsv

FILES = 60
Refusal = (SourceError, RefusedDeliveryError)


def files_of(connector: Connector, folder: Path) -> list[Path]:
    """Land all that a connector delivers, as a night does.

    Raises: one of Refusal
    """
    folder.mkdir(exist_ok=True)
    paths: list[Path] = []
    for delivery in connector.deliveries(Memory()):
        for file in delivery.files:
            path = folder / f"{len(paths)}.{file.format}"
            copy_file(file, path, file.name, NoProgress())
            paths.append(path)
    return paths


def rows_of(connector: Connector, folder: Path) -> list[dict[str, Any]]:
    return [row for path in files_of(connector, folder) for row in pl.read_parquet(path).to_dicts()]


def versions(seed: str, good: bytes, *, is_text: bool = True) -> Iterator[tuple[int, bytes]]:
    """Yield a file as it is, then damaged."""
    yield 0, good
    for number in range(1, FILES + 1):
        random = Random(f"{seed} {number}")  # noqa: S311 - to damage, not to hide
        yield number, damaged(good, random, is_text=is_text)


def sweep(
    seed: str,
    good: bytes,
    read: Callable[[bytes, int], Any],
    wanted: Callable[[bytes], Any],
    *,
    is_text: bool = True,
) -> None:
    """See that each damaged file is refused, or read as it is wanted."""
    ends: Counter[str] = Counter()
    for number, content in versions(seed, good, is_text=is_text):
        refusal, found = attempt(read, content, number)
        ends["refused" if refusal else "read"] += 1
        if isinstance(refusal, Refusal):
            assert [note[:4] for note in refusal.__notes__[:2]] == ["in: ", "fix:"]
        elif refusal is None:
            assert found == wanted(content), (number, content)
        assert number or not refusal, refusal
    assert ends["refused"] > FILES / 4


def attempt(
    read: Callable[[bytes, int], Any], content: bytes, number: int
) -> tuple[Exception | None, Any]:
    """Return why a file is refused, or what is read of it."""
    try:
        return None, read(content, number)
    except (*Refusal, OddAnswerError) as error:
        return error, None


def amounts(rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> dict[str, Decimal]:
    """Add lines up by currency."""
    found: dict[str, Decimal] = {}
    for row in rows:
        mark, written = row["decimal_mark"], row["cost"]
        kept = "".join(sign for sign in written if sign.isdigit() or sign in ("-", mark))
        currency = row["currency"]
        found[currency] = found.get(currency, Decimal(0)) + Decimal(kept.replace(mark, "."))
    return found


def in_invoice(content: bytes, config: MappedCsv) -> dict[str, Decimal]:
    """Add an invoice up by its config."""
    text = content.decode("utf-8-sig" if config.encoding == "utf-8" else config.encoding)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=config.delimiter)
    lines = list(reader)[: -1 if config.has_total else None]
    mark = "," if config.decimal_comma else "."
    own = config.currency.removeprefix("=") if config.currency.startswith("=") else None
    return amounts(
        [
            {
                "decimal_mark": mark,
                "cost": line[config.cost],
                "currency": own or line[config.currency].strip().upper(),
            }
            for line in lines
        ]
    )


INVOICES = {
    "labels": (LABELS, "labelling_2026-10.csv"),
    "servers": (SERVERS, "selectel_style_2026-10.csv"),
}


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("config", "sample"), INVOICES.values(), ids=INVOICES)
def test_an_invoice_by_columns(
    tmp_path: Path, config: MappedCsv, sample: str, *, is_packed: bool
) -> None:
    def read(content: bytes, number: int) -> dict[str, Decimal]:
        root = tmp_path / str(number)
        root.mkdir()
        (root / f"2026-10.csv{'.gz' if is_packed else ''}").write_bytes(content)
        return amounts(rows_of(replace(config, root=str(root)), root / "landed"))

    def wanted(content: bytes) -> dict[str, Decimal]:
        return in_invoice(gzip.decompress(content) if is_packed else content, config)

    good = (DATA / "mapped_csv" / sample).read_bytes()
    sweep(sample, gzip.compress(good, mtime=0) if is_packed else good, read, wanted,
          is_text=not is_packed)  # fmt: skip


def test_an_invoice_in_parquet(tmp_path: Path) -> None:
    lines = list(
        csv.DictReader(io.StringIO((DATA / "mapped_csv" / "labelling_2026-10.csv").read_text()))
    )
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    columns["Amount"] = [float(each.replace(",", "")) for each in columns["Amount"]]
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, compression="none", store_schema=False)

    def read(content: bytes, number: int) -> dict[str, Decimal]:
        root = tmp_path / str(number)
        root.mkdir()
        (root / "2026-10.parquet").write_bytes(content)
        return amounts(rows_of(replace(LABELS, root=str(root)), root / "landed"))

    def wanted(content: bytes) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        try:
            file = parquet.ParquetFile(io.BytesIO(content))
            table = file.read(columns=["Amount", "Currency"])
        except OSError:  # Arrow looks at more than is needed: the cost must be as it was
            table = pa.table(columns)
        for row in table.to_pylist():
            currency = row["Currency"].strip().upper()
            found[currency] = found.get(currency, Decimal(0)) + Decimal(repr(row["Amount"]))
        return found

    sweep("invoice parquet", out.getvalue(), read, wanted, is_text=False)


def in_rates(text: str) -> dict[tuple[str, str], Decimal]:
    found = {}
    for line in csv.DictReader(io.StringIO(text, newline="")):
        for currency, rate in line.items():
            if currency and currency != "Date" and rate not in (None, "", "N/A"):
                found[line["Date"], currency.strip()] = Decimal(rate.strip())
    return found


def rates(path: Path, folder: Path) -> dict[tuple[str, str], Decimal]:
    rows = rows_of(ExchangeRates(str(path)), folder)
    return {(row["date"], row["currency"]): Decimal(row["rate"]) for row in rows}


@pytest.mark.parametrize("is_zipped", [False, True])
def test_the_banks_rates(tmp_path: Path, *, is_zipped: bool) -> None:
    header, *lines = (DATA / "exchange_rates" / "eurofxref-hist.csv").read_text().splitlines()
    good = "\n".join([header, *lines[::12], ""]).encode()
    if is_zipped:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as into:
            into.writestr(zipfile.ZipInfo("eurofxref-hist.csv"), good)
        good = out.getvalue()

    def read(content: bytes, number: int) -> Any:
        path = tmp_path / f"{number}.{'zip' if is_zipped else 'csv'}"
        path.write_bytes(content)
        return rates(path, tmp_path / f"{number}-landed")

    def wanted(content: bytes) -> Any:
        if is_zipped:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                content = packed.read(packed.namelist()[0])
        return in_rates(content.decode("utf-8-sig"))

    sweep(f"rates {is_zipped}", good, read, wanted, is_text=not is_zipped)


def test_alibabas_archives(tmp_path: Path) -> None:
    name = "1234567890123456_InstanceDetailMonthly_202610"
    text = (DATA / "alibaba_bill" / f"{name}.csv").read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as into:
        into.writestr(zipfile.ZipInfo(f"{name}.csv"), text)

    def read(content: bytes, number: int) -> list[bytes]:
        root = tmp_path / str(number)
        root.mkdir()
        (root / f"{name}.zip").write_bytes(content)
        paths = files_of(AlibabaBill(root=str(root)), tmp_path / f"{number}-landed")
        return [path.read_bytes() for path in paths]

    sweep("alibaba zip", out.getvalue(), read, lambda _: [text], is_text=False)


def test_opencosts_answers(tmp_path: Path) -> None:
    day = "2023-01-19"
    good = (DATA / "opencost" / f"{day}.json").read_bytes()

    def hours(content: bytes) -> list[tuple[Decimal, ...]]:
        answer = json.loads(content)
        return sorted(
            tuple(Decimal(repr(each[key])) for key in ("cpuCoreHours", "gpuHours", "ramByteHours"))
            for found in answer["data"]
            for name, each in (found or {}).items()
            if not name.startswith("__")
        )

    def read(content: bytes, number: int) -> list[tuple[Decimal, ...]]:
        root = tmp_path / str(number)
        root.mkdir()
        (root / f"{day}.json").write_bytes(content)
        rows = rows_of(Opencost(root=str(root)), root / "landed")
        columns = ("cpu_core_hours", "gpu_hours", "ram_byte_hours")
        return sorted(tuple(Decimal(row[column]) for column in columns) for row in rows)

    sweep("opencost", good, read, hours)


def test_openais_costs() -> None:
    good = (DATA / "model_api_usage" / "openai_costs.json").read_bytes()
    day = datetime.fromtimestamp(json.loads(good)["data"][0]["start_time"], UTC).date()

    def read(content: bytes, _: int) -> list[tuple[Decimal, str]]:
        try:
            results, _page = results_of(json.loads(content), day)
        except (ValueError, AttributeError) as error:
            raise OddAnswerError(str(error)) from error
        found = [row for each in results for row in records_of("openai", "cost", each)]
        return [(Decimal(str(row["amount"])), str(row["currency"]).lower()) for row in found]

    def wanted(content: bytes) -> list[tuple[Decimal, str]]:
        results = json.loads(content)["data"][0]["results"]
        told = [each["amount"] for each in results]
        return [(Decimal(repr(one["value"])), one["currency"].lower()) for one in told]

    sweep("openai", good, read, wanted)


@pytest.mark.parametrize("place", ["part", "manifest"])
def test_lists_of_s3(tmp_path: Path, place: str) -> None:
    packed = packed_csv(ROWS)
    manifest = write_inventory(tmp_path / "good", packed, "csv.gz")
    good = packed if place == "part" else manifest.read_bytes()

    def read(content: bytes, number: int) -> list[bytes]:
        root = tmp_path / str(number)
        path = write_inventory(root, packed, "csv.gz")
        part = next(root.rglob("part-1.csv.gz"))
        (part if place == "part" else path).write_bytes(content)
        paths = files_of(S3Inventory(str(root)), tmp_path / f"{number}-landed")
        return [each.read_bytes() for each in paths]

    wanted = read(good, FILES + 1)
    sweep(f"inventory {place}", good, read, lambda _: wanted, is_text=place == "manifest")


def test_manifests_of_aws(tmp_path: Path) -> None:
    """Files of an older version, or of another place, would be another bill."""
    bucket = DATA / "aws_cur" / "koku_local_bucket"
    manifests = {path.relative_to(bucket) for path in bucket.rglob("*Manifest.json")}
    (good,) = {(bucket / place).read_bytes() for place in manifests}

    def read(content: bytes, number: int) -> list[bytes]:
        root = tmp_path / str(number)
        shutil.copytree(bucket, root)
        for place in manifests:
            (root / place).write_bytes(content)
        paths = files_of(AwsCur(root=str(root)), tmp_path / f"{number}-landed")
        return [path.read_bytes() for path in paths]

    wanted = read(good, FILES + 1)
    sweep("aws manifest", good, read, lambda _: wanted)


@pytest.mark.parametrize("half", ["actual", "amortized"])
def test_manifests_of_azure(tmp_path: Path, half: str) -> None:
    write_pair(tmp_path / "good")
    good = next((tmp_path / "good" / half).rglob("manifest.json")).read_bytes()

    def read(content: bytes, number: int) -> list[bytes]:
        root = tmp_path / str(number)
        write_pair(root)
        next((root / half).rglob("manifest.json")).write_bytes(content)
        source = AzureCost(str(root / "actual"), str(root / "amortized"))
        return [path.read_bytes() for path in files_of(source, root / "landed")]

    wanted = read(good, FILES + 1)
    sweep(f"azure manifest {half}", good, read, lambda _: wanted)


def test_access_logs(tmp_path: Path) -> None:
    lines = [record(f"images/{number}", str(number * 1000)) for number in range(12)]
    good = "".join(f"{line}\n" for line in lines).encode()

    def read(content: bytes, number: int) -> list[str]:
        root = tmp_path / str(number)
        root.mkdir()
        (root / LOG).write_bytes(content)
        return [row["line"] for row in rows_of(S3AccessLogs(str(root)), root / "landed")]

    def wanted(content: bytes) -> list[str]:
        return content.decode("utf-8", "backslashreplace").removesuffix("\n").split("\n")

    sweep("access logs", good, read, wanted)
