"""Folders and S3 as stores: what is listed, what is believed, and what a bad line does."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import Checksum, SourceError
from connectors.store import open_store
from connectors.stored import format_of, read_whole
from connectors.tally import counting
from tests.servers.cutting import cutting_line
from tests.servers.moto import client, demand_rights, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BIG = bytes(range(256)) * 40_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("moto")) as address:
        yield address


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server; what boto3 makes in the connectors goes there too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    found = client("s3")
    found.create_bucket(Bucket="acme")
    return found


def notes(error: pytest.ExceptionInfo[SourceError]) -> str:
    return " ".join(error.value.__notes__)


def test_a_folder_lists_its_files_by_their_paths_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.csv", "a/c.parquet", ".hidden.csv", ".git/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1234")
    files = open_store(str(tmp_path)).files()
    assert [(file.name, file.size) for file in files] == [("a/c.parquet", 4), ("b.csv", 4)]
    assert read_whole(files[1]) == b"1234"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("a.CSV.GZ", "csv.gz"), ("a.snappy.parquet", "parquet")],
)
def test_the_end_of_a_name_says_how_to_read_it(name: str, kind: str) -> None:
    assert format_of(name) == kind


def test_a_zip_is_refused_with_what_to_choose_instead() -> None:
    with pytest.raises(SourceError, match="neither CSV") as error:
        format_of("bill-1.csv.zip")
    assert "gzip" in notes(error)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not there") as error:
        open_store(str(tmp_path / "gone")).files()
    assert str(tmp_path / "gone") in notes(error)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "bill.csv").touch()
    with pytest.raises(SourceError, match="not a folder"):
        open_store(str(tmp_path / "bill.csv")).files()


def test_other_clouds_addresses_are_refused_before_anything_is_read() -> None:
    with pytest.raises(SourceError, match="oss:// is not a kind of store"):
        open_store("oss://bucket/prefix")


def test_sums_beside_a_file_are_what_the_source_states(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"1").hexdigest()
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  a.csv\n{digest} *other.csv\n")
    (tmp_path / "b.csv.sha256").write_text(f"{digest}\n")
    found = {file.name: file.checksum for file in open_store(str(tmp_path)).files()}
    stated = Checksum("sha256", digest)
    assert (found["a.csv"], found["b.csv"], found["c.csv"]) == (stated, stated, None)


def test_a_file_replaced_after_the_listing_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1234")
    (file,) = open_store(str(tmp_path)).files()
    path.write_bytes(b"4321")
    os.utime(path, ns=(0, 0))
    with pytest.raises(SourceError, match="replaced"):
        file.open()


def test_a_file_that_has_gone_after_the_listing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1234")
    (file,) = open_store(str(tmp_path)).files()
    path.unlink()
    with pytest.raises(SourceError, match="has gone"):
        file.open()


def test_s3_lists_what_lies_under_the_prefix_and_nothing_beside_it(s3: Any) -> None:
    for key in ("list/cur/a.csv", "list/cur/b/c.csv", "list/cur2/d.csv", "list/cur/folder/"):
        s3.put_object(Bucket="acme", Key=key, Body=b"1")
    files = open_store("s3://acme/list/cur/").files()
    assert [file.name for file in files] == ["a.csv", "b/c.csv"]


def test_s3_lists_more_than_one_page(s3: Any) -> None:
    for number in range(1_005):
        s3.put_object(Bucket="acme", Key=f"many/{number:04d}.csv", Body=b"1")
    with counting() as tally:
        assert len(open_store("s3://acme/many").files()) == 1_005
    assert tally.requests == 2, "two pages, each told as a request"


def test_the_md5_of_an_object_put_in_one_piece_is_believed(s3: Any) -> None:
    s3.put_object(Bucket="acme", Key="md5/a.csv", Body=BIG)
    (file,) = open_store("s3://acme/md5").files()
    stated = file.checksum
    assert stated is not None
    assert stated.hex_digest == hashlib.new(stated.algorithm, BIG).hexdigest()
    assert read_whole(file) == BIG


def test_a_stated_sha256_is_preferred(s3: Any) -> None:
    s3.put_object(Bucket="acme", Key="sha/a.csv", Body=BIG, ChecksumAlgorithm="SHA256")
    (file,) = open_store("s3://acme/sha").files()
    assert file.checksum == Checksum("sha256", hashlib.sha256(BIG).hexdigest())


def test_the_etag_of_an_object_encrypted_with_a_key_is_no_md5(s3: Any) -> None:
    s3.put_object(Bucket="acme", Key="kms/a.csv", Body=b"1", ServerSideEncryption="aws:kms")
    (file,) = open_store("s3://acme/kms").files()
    assert file.checksum is None or file.checksum.algorithm != "md5"


def test_the_etag_of_an_object_put_in_parts_is_no_md5(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="acme", Key="parts/a.csv")["UploadId"]
    place = {"Bucket": "acme", "Key": "parts/a.csv", "UploadId": upload}
    part = s3.upload_part(**place, PartNumber=1, Body=BIG)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(**place, MultipartUpload=parts)
    (file,) = open_store("s3://acme/parts").files()
    assert file.checksum is None
    assert read_whole(file) == BIG


def test_an_object_replaced_after_the_listing_is_not_opened(s3: Any) -> None:
    s3.put_object(Bucket="acme", Key="race/a.csv", Body=b"1234")
    (file,) = open_store("s3://acme/race").files()
    s3.put_object(Bucket="acme", Key="race/a.csv", Body=b"4321")
    with pytest.raises(SourceError, match="replaced"):
        file.open()


def test_an_object_that_has_gone_after_the_listing_is_named(s3: Any) -> None:
    s3.put_object(Bucket="acme", Key="gone/a.csv", Body=b"1234")
    (file,) = open_store("s3://acme/gone").files()
    s3.delete_object(Bucket="acme", Key="gone/a.csv")
    with pytest.raises(SourceError, match="gone since it was listed"):
        file.open()


def test_a_cut_line_is_taken_up_again_where_it_broke(
    s3: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="acme", Key="cut/a.csv", Body=BIG)
    with cutting_line(server, after=3_000_000, cuts=2) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        (file,) = open_store("s3://acme/cut").files()
        assert hashlib.sha256(read_whole(file)).digest() == hashlib.sha256(BIG).digest()
        assert line.cuts == 0


def test_a_line_that_keeps_breaking_is_an_error_and_never_a_short_file(
    s3: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="acme", Key="cuts/a.csv", Body=BIG)
    with cutting_line(server, after=500_000, cuts=1_000) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        (file,) = open_store("s3://acme/cuts").files()
        with pytest.raises(SourceError, match="the line broke 5 times"):
            read_whole(file)


def test_a_bucket_that_is_not_there_is_named(s3: Any) -> None:
    assert s3
    with pytest.raises(SourceError, match="no such bucket") as error:
        open_store("s3://nowhere/cur").files()
    assert "s3://nowhere/cur" in notes(error)


def test_without_credentials_the_error_says_how_to_give_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="no AWS credentials") as error:
        open_store("s3://acme/cur").files()
    assert "AWS_PROFILE" in notes(error)


def test_a_missing_right_is_named_and_no_secret_is(
    s3: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="acme", Key="rights/a.csv", Body=b"1")
    iam = client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    allow_listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow_listing]})
    try:
        demand_rights(server, 0)
        with pytest.raises(SourceError, match="access denied") as error:
            open_store("s3://acme/rights").files()
        assert "s3:ListBucket" in notes(error)
        demand_rights(server, 1)
        iam.put_user_policy(UserName="reader", PolicyName="list", PolicyDocument=policy)
        (file,) = open_store("s3://acme/rights").files()
        with pytest.raises(SourceError, match="access denied") as error:
            file.open()
        assert "s3:GetObject" in notes(error)
        assert key["SecretAccessKey"] not in f"{error.value!r} {notes(error)} {file!r}"
    finally:
        demand_rights(server, 1_000_000)
