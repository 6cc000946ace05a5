"""Azure's Blob Storage through a real server: addresses, listing, reading, refusals."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import (  # noqa: TID251 - the test's own hands
    BlobServiceClient,
    ContainerSasPermissions,
    generate_container_sas,
)

from connectors.addresses import Place, place_of
from connectors.azure_blob import AzureBlobStore
from connectors.azure_cost import AzureCost
from connectors.base import SourceError
from connectors.focus import Focus
from connectors.store import open_store
from connectors.tally import counting
from tests.connectors.azure_runs import write, write_pair, write_run
from tests.connectors.known import Memory
from tests.servers.azurite import ACCOUNT, KEY, blob_server, connection, upload
from tests.servers.cutting import cutting_line
from tests.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
SECRET = "ACME_AZURE"  # noqa: S105  (the name of a variable)
WIDE = ".core.windows.net"


@pytest.mark.parametrize(
    ("root", "place"),
    [
        ("az://acme/exports", Place("acme", WIDE, "exports", "")),
        ("az://acme/exports/", Place("acme", WIDE, "exports", "")),
        ("az://acme/exports/a/b/", Place("acme", WIDE, "exports", "a/b")),
        ("https://acme.blob.core.windows.net/exports/a b", Place("acme", WIDE, "exports", "a b")),
        ("https://acme.blob.core.windows.net/exports/a%20b", Place("acme", WIDE, "exports", "a b")),
        ("https://acme.dfs.core.windows.net/exports/a", Place("acme", WIDE, "exports", "a")),
        (
            "https://acme.blob.core.chinacloudapi.cn/exports/a",
            Place("acme", ".core.chinacloudapi.cn", "exports", "a"),
        ),
    ],
)
def test_a_container_is_found_by_either_address(root: str, place: Place) -> None:
    assert place_of(root) == place
    assert isinstance(open_store(root), AzureBlobStore)


@pytest.mark.parametrize(
    "root", ["az://acme", "az://", "az://ACME_X/c", "https://acme.table.core.windows.net/c"]
)
def test_what_is_no_container_is_refused(root: str) -> None:
    with pytest.raises(SourceError, match="not the address of a container"):
        open_store(root)


def test_a_signature_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SourceError, match="holds a signature") as error:
        open_store("https://acme.blob.core.windows.net/c/p?sv=1&sig=canary")
    assert "canary" not in "".join((str(error.value), *error.value.__notes__))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with blob_server(tmp_path_factory.mktemp("azurite")) as address:
        yield address


@pytest.fixture
def account(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(SECRET, connection(server))
    return server


def store(container: str, prefix: str = "") -> AzureBlobStore:
    return AzureBlobStore(f"az://{ACCOUNT}/{container}/{prefix}", SECRET)


def refusal(container: str) -> tuple[str, str, str]:
    with pytest.raises(SourceError) as error:
        store(container).files()
    told = "".join((str(error.value), *error.value.__notes__))
    assert KEY not in told
    where, fix = error.value.__notes__[:2]
    return str(error.value), where, fix


def test_a_pair_in_a_container_is_read_and_its_bytes_are_those_that_were_put(
    account: str, tmp_path: Path
) -> None:
    write_pair(tmp_path)
    upload(account, "exports", tmp_path)
    roots = [f"az://{ACCOUNT}/exports/{half}" for half in ("actual", "amortized")]
    source = AzureCost(roots[0], roots[1], SECRET)
    memory = Memory()
    (delivery,) = source.deliveries(memory)
    found = {file.name.partition("/")[2]: file for file in delivery.files}
    for path in tmp_path.rglob("*.csv"):
        file = found[path.relative_to(tmp_path).as_posix().partition("/")[2]]
        with file.open() as stream:
            content = stream.read()
        assert file.checksum is not None
        assert file.checksum.hex_digest == hashlib.md5(content, usedforsecurity=False).hexdigest()
    memory.land(delivery)
    assert list(source.deliveries(memory)) == []


def test_a_focus_export_in_a_container_is_read(account: str, tmp_path: Path) -> None:
    write_run(tmp_path, "FocusCost", ["BilledCost\n1\n"])
    upload(account, "focus", tmp_path)
    (delivery,) = Focus(f"az://{ACCOUNT}/focus", SECRET).deliveries(Memory())
    assert (delivery.unit, delivery.stated_rows) == ("2026-10", 1)


def test_files_of_many_pieces_come_whole_and_without_md5_too(account: str, tmp_path: Path) -> None:
    content = "0123456789abcdef" * (18 << 16)
    write(tmp_path, "a/large.csv", content)
    upload(account, "large", tmp_path, with_md5=False)
    with counting() as tally:
        (file,) = store("large", "a").files()
        assert tally.requests == 1
        assert (file.name, file.size, file.checksum) == ("large.csv", 18 << 20, None)
        with file.open() as stream:
            assert stream.read() == content.encode()
    assert tally.requests == 4, "the listing, and three pieces"
    with file.open() as stream:
        assert b"".join(iter(lambda: stream.read(1_000_003), b"")) == content.encode()


def test_a_line_that_breaks_is_taken_up_again(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "0123456789abcdef" * (12 << 16)
    write(tmp_path, "large.csv", content)
    upload(account, "broken", tmp_path)
    with cutting_line(account.removesuffix(f"/{ACCOUNT}"), after=3_000_000, cuts=2) as line:
        monkeypatch.setenv(SECRET, connection(f"{line.address}/{ACCOUNT}"))
        (file,) = store("broken").files()
        with file.open() as stream:
            assert stream.read() == content.encode()
        assert line.cuts == 0


def test_a_line_that_breaks_again_and_again_is_told(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "large.csv", "x" * (9 << 20))
    upload(account, "broken", tmp_path)
    with cutting_line(account.removesuffix(f"/{ACCOUNT}"), after=500_000, cuts=1_000) as line:
        monkeypatch.setenv(SECRET, connection(f"{line.address}/{ACCOUNT}"))
        (file,) = store("broken").files()
        with pytest.raises(SourceError, match="cannot be read"):
            file.open()


def test_an_empty_file_is_empty(account: str, tmp_path: Path) -> None:
    write(tmp_path, "none.csv", "")
    upload(account, "empty", tmp_path)
    (file,) = store("empty").files()
    with file.open() as stream:
        assert stream.read() == b""


def test_a_file_that_is_replaced_while_it_is_read_is_refused(account: str, tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x" * (9 << 20))
    upload(account, "replaced", tmp_path)
    (file,) = store("replaced").files()
    with file.open() as stream:
        stream.read(10)
        write(tmp_path, "a.csv", "y" * (9 << 20))
        upload(account, "replaced", tmp_path)
        with pytest.raises(SourceError, match="was replaced"):
            stream.read()
    with pytest.raises(SourceError, match="was replaced"):
        file.open()


def test_a_file_that_has_gone_is_told(account: str, tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x")
    upload(account, "gone", tmp_path)
    (file,) = store("gone").files()
    service = BlobServiceClient.from_connection_string(connection(account))
    service.get_blob_client("gone", "a.csv").delete_blob()
    with pytest.raises(SourceError, match=r"has gone|was replaced"):
        file.open()


def test_folders_and_other_prefixes_are_not_files(account: str, tmp_path: Path) -> None:
    for name in ("a/1.csv", "ab/2.csv", "a/b/3.csv"):
        write(tmp_path, name, "x")
    upload(account, "folders", tmp_path)
    service = BlobServiceClient.from_connection_string(connection(account))
    client = service.get_container_client("folders")
    client.upload_blob("a/b", b"", metadata={"hdi_isfolder": "true"})
    assert [file.name for file in store("folders", "a").files()] == ["1.csv", "b/3.csv"]


def signature(container: str, permission: ContainerSasPermissions, hours: int = 1) -> str:
    return generate_container_sas(
        ACCOUNT,
        container,
        KEY,
        permission=permission,
        expiry=datetime.now(UTC) + timedelta(hours=hours),
        start=datetime.now(UTC) - timedelta(hours=9),
    )


def signed(server: str, token: str) -> str:
    return f"BlobEndpoint={server};SharedAccessSignature={token};AccountName={ACCOUNT};"


def test_a_signature_that_may_read_and_list_suffices(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", "x")
    upload(account, "signed", tmp_path)
    token = signature("signed", ContainerSasPermissions(read=True, list=True))
    monkeypatch.setenv(SECRET, signed(account, token))
    (file,) = store("signed").files()
    with file.open() as stream:
        assert stream.read() == b"x"


def test_a_signature_that_may_not_list_is_told_which_role_it_lacks(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", "x")
    upload(account, "unlisted", tmp_path)
    token = signature("unlisted", ContainerSasPermissions(read=True))
    monkeypatch.setenv(SECRET, signed(account, token))
    what, _, fix = refusal("unlisted")
    assert f"access denied to the secret in ${SECRET}" in what
    assert "Storage Blob Data Reader" in fix


@pytest.mark.parametrize("harm", ["expired", "another key"])
def test_a_secret_that_is_not_accepted_is_told(
    account: str, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    token = signature("exports", ContainerSasPermissions(read=True, list=True), hours=-2)
    other = connection(account, key="b3RoZXI=")
    monkeypatch.setenv(SECRET, signed(account, token) if harm == "expired" else other)
    what, _, fix = refusal("exports")
    assert f"the secret in ${SECRET}" in what
    assert "renew" in fix or "time left" in fix


def test_a_container_that_is_not_there_is_told(account: str) -> None:
    assert account
    assert "no such container" in refusal("nowhere")[0]


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("", f"variable {SECRET} is empty"),
        ("AccountName=acmebilling", "holds neither"),
        ("AccountName=other;AccountKey=b3RoZXI=", "is of the account other"),
    ],
)
def test_a_variable_without_a_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, secret: str, said: str
) -> None:
    monkeypatch.setenv(SECRET, secret)
    assert said in refusal("exports")[0]


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, connection(f"http://127.0.0.1:{free_port()}/{ACCOUNT}"))
    what, where, fix = refusal("exports")
    assert what == "nothing answers at the account's address"
    assert f"az://{ACCOUNT}/exports" in where
    assert "firewall" in fix
