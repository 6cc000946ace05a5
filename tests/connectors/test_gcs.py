"""Google Cloud Storage: what lies in a bucket is a bill as it is in a folder."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from connectors.base import Delivery, SourceError
from connectors.gcp_billing import GcpBilling
from connectors.store import open_store
from connectors.tally import counting
from queries.totals import raw_totals
from tests.connectors.gcp_lines import line
from tests.connectors.known import Memory
from tests.queries.bills import stage_rows
from tests.queries.test_gcp_staging import json_lines
from tests.servers.bigquery import NOWHERE, utc, write_key
from tests.servers.google_storage import Bucket, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
ROOT = "gs://acme-billing/exports/ml"
TABLE = "gcp_billing__line_items"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving(Bucket()) as it:
        key = write_key(tmp_path / "key.json", it.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", it.address)
        yield it


def take(memory: Memory) -> list[Delivery]:
    found = list(GcpBilling(root=ROOT).deliveries(memory))
    for delivery in found:
        memory.land(delivery)
    return found


def put_month(bucket: Bucket, folder: Path, month: int, *costs: float) -> bytes:
    """Put a month's lines as an extract job does, packed."""
    lines = [line(cost=cost, usage_start_time=utc(2026, month, 3)) for cost in costs]
    text = json_lines(folder / "lines.json", lines).read_bytes()
    packed = gzip.compress(text, mtime=0)
    bucket.put(f"exports/ml/2026-{month:02}.json.gz", packed, utc(2026, month, 28))
    return packed


def test_a_bucket_is_read_by_month_once_and_again_when_it_is_written_to(
    bucket: Bucket, tmp_path: Path
) -> None:
    put_month(bucket, tmp_path, 4, 1.0)
    packed = put_month(bucket, tmp_path, 5, 0.25, 0.5)
    put_month(bucket, tmp_path, 6, 3.0)
    bucket.put("exports/ml/", b"", utc(2026, 5, 1))
    bucket.put("exports/mlops/2026-05.json", b"{}", utc(2026, 5, 1))
    memory = Memory()
    found = take(memory)
    assert [each.unit for each in found] == ["2026-04", "2026-05", "2026-06"]
    (file,) = found[1].files
    with file.open() as stream:
        assert stream.read() == packed
    path = tmp_path / "landed.json.gz"
    path.write_bytes(packed)
    assert {str(each.amount) for each in raw_totals(TABLE, [path])} == {"0.750000000000"}
    assert len(stage_rows("gcp_billing", [path])) == 2
    assert file.checksum is not None
    assert file.checksum.algorithm == "md5"
    assert take(memory) == []
    put_month(bucket, tmp_path, 5, 0.25, 0.75)
    assert [each.unit for each in take(memory)] == ["2026-05"]
    with pytest.raises(SourceError, match="replaced while"):
        file.open()


def test_a_large_object_comes_in_pieces_and_one_that_was_composed_has_no_digest(
    bucket: Bucket,
) -> None:
    content = bytes(range(256)) * (9 << 12)  # 9 MiB
    bucket.put("a/2026-05.csv", content, utc(2026, 5, 1), is_composed=True)
    bucket.busy = 1
    with counting() as tally:
        (file,) = open_store("gs://acme-billing/a").files()
        assert (file.size, file.checksum, bucket.busy) == (len(content), None, 0)
        with file.open() as stream:
            assert stream.read() == content
    assert tally.requests == len([asked for asked in bucket.asked if "/token" not in asked])
    downloads = [asked for asked in bucket.asked if "/download/" in asked]
    assert len(downloads) == 2, "two pieces"


@pytest.mark.parametrize(
    ("root", "denied", "what", "fix"),
    [
        (ROOT, True, "access denied: .*storage.objects.list", "Storage Object Viewer"),
        ("gs://acme-other/x", False, "no such bucket", "mend the root"),
        ("gs:///x", False, "names no bucket", "gs://bucket/prefix"),
    ],
)
def test_what_google_refuses_says_what_to_do(
    bucket: Bucket, root: str, what: str, fix: str, *, denied: bool
) -> None:
    bucket.denied = denied
    with pytest.raises(SourceError, match=what) as caught:
        open_store(root).files()
    assert fix in caught.value.__notes__[1]


def test_a_line_that_breaks_and_a_key_that_nobody_knows_are_told(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("a/2026-05.csv", b"cost\n1\n", utc(2026, 5, 1))
    (file,) = open_store("gs://acme-billing/a").files()
    bucket.short = 3
    with pytest.raises(SourceError, match="broke after 4 of 7 bytes"):
        file.open()
    (tmp_path / "key.json").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match="does not know us") as caught:
        open_store("gs://acme-billing/a").files()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.__notes__[1]
