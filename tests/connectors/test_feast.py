"""Feast's registry, from a file and from answers of a server that Feast itself made."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.feast import Feast
from connectors.feast_registry import decoded
from tests.connectors.json_server import serving
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "data" / "feast"
REGISTRY = RECORDED / "registry.db"
DATASETS = {
    "search/bigquery": ("bigquery://lab.search.clicks", None, None, "search"),
    "search/kept": ("s3://feast-data/kept", "eve", "stream", "search"),
    "search/pushed": ("s3://feast-data/push", None, None, "search"),
    "search/redshift": ("redshift://lab.public.clicks", None, None, "search"),
    "search/snowflake": ("snowflake://LAB.PUBLIC.CLICKS", None, None, "search"),
    # two who own a reader do not agree, and one team is all that is said of it
    "search/spark": ("s3://feast-data/spark", None, "search", "search"),
    "search/stats": ("s3://feast-data/stats", "ann@lab.example", "vision", "search"),
    "search/v_clicks": ("s3://feast-data/clicks.parquet", "bob", "nlp", "chat"),
}
"""Address, owner, team and project of all that lies somewhere: not `query`."""


@dataclass
class Server:
    """Gives what a real one answered, page by page; what goes wrong with a list is in `faults`."""

    faults: dict[str, tuple[int, object]] = field(default_factory=dict)
    authorization: str = ""
    uri: str = ""

    def answer(self, path: str, given: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """Return a status and an answer."""
        self.authorization = authorization
        name = path.removeprefix("/api/v1/").removesuffix("/all")
        if name in self.faults:
            return self.faults[name]
        told = json.loads((RECORDED / f"{name}.json").read_text())
        (key,) = told.keys() - {"pagination"}
        limit, page = int(given["limit"]), int(given["page"])
        pages = {"page": page, "limit": limit, "totalPages": -(-len(told[key]) // limit)}
        return 200, {key: told[key][(page - 1) * limit : page * limit], "pagination": pages}


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    with serving(served.answer) as uri:
        served.uri = uri
        yield served


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    (tmp_path / "raw").mkdir()
    return Nights("feast", tmp_path / "raw")


def datasets(nights: Nights) -> dict[str, tuple[str, ...]]:
    """Return what is staged, by name."""
    columns = ("uri", "owner_user", "owner_team", "project")
    rows = nights.rows("feast__datasets")
    return {row["dataset"]: tuple(row[column] for column in columns) for row in rows}


def test_sources_are_datasets_with_owners(nights: Nights) -> None:
    assert set(nights.night(Feast(str(REGISTRY)), AT)) == {"sources", "views"}
    assert datasets(nights) == DATASETS
    assert "secret-7c1d" not in nights.raw_text()


@pytest.mark.parametrize("page_size", [2, 100])
def test_a_server_tells_what_its_file_holds(server: Server, nights: Nights, page_size: int) -> None:
    nights.night(Feast(server.uri, page_size=page_size), AT)
    assert datasets(nights) == DATASETS
    assert nights.night(Feast(str(REGISTRY)), AT + timedelta(days=1)) == {}


def test_a_source_that_is_gone_stays_known(tmp_path: Path, nights: Nights) -> None:
    registry = tmp_path / "registry.db"
    shutil.copy(REGISTRY, registry)
    nights.night(Feast(str(registry)), AT)
    assert nights.night(Feast(str(registry)), AT + timedelta(days=1)) == {}
    # data_sources alone, of one source: field 12 {20: "new", 21: "search", 11: {2: "s3://b/n"}}
    source = b"\xa2\x01\x03new" + b"\xaa\x01\x06search" + b"\x5a\x0a\x12\x08s3://b/n"
    registry.write_bytes(b"\x1a\x011" + b"\x62" + bytes([len(source)]) + source)
    assert set(nights.night(Feast(str(registry)), AT + timedelta(days=2))) == {"sources"}
    assert datasets(nights) == DATASETS | {"search/new": ("s3://b/n", None, None, "search")}


def test_a_cut_registry_is_refused(tmp_path: Path, nights: Nights) -> None:
    """Cut between two records it looks like a smaller registry; there are few such places."""
    content = REGISTRY.read_bytes()
    whole = decoded(content)
    taken = 0
    for size in range(0, len(content), 7):
        try:
            taken += decoded(content[:size]) != whole
        except ValueError:
            continue
    assert taken < 20
    registry = tmp_path / "registry.db"
    registry.write_bytes(content[:1000])
    with pytest.raises(SourceError, match="the file is no registry of Feast: it ") as raised:
        nights.night(Feast(str(registry)), AT)
    assert "feast apply" in "".join(raised.value.__notes__)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_registry_or_a_value_error(content: bytes) -> None:
    try:
        told = decoded(content)
    except ValueError:
        return
    assert "registrySchemaVersion" in told


@pytest.mark.parametrize("name", ["nothing.db", "a/nothing.db"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, nights: Nights, name: str) -> None:
    with pytest.raises(SourceError, match="the registry's file is not there") as raised:
        nights.night(Feast(str(tmp_path / name)), AT)
    assert name in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("path", "status", "told", "said"),
    [
        ("data_sources", 401, {"detail": "no token"}, "Feast answers 401 no token"),
        ("feature_views", 404, {"detail": "Not Found"}, "Feast answers 404 Not Found"),
        ("feature_views", 200, {"featureViews": None}, "Feast answers 200"),
    ],
)
def test_what_is_refused_is_told_and_no_token_shown(  # noqa: PLR0913, PLR0917 - what a refusal is
    server: Server,
    nights: Nights,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    told: object,
    said: str,
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "hunter2")
    server.faults[path] = status, told
    connector = Feast(server.uri, token_env="TOKEN_FOR_TEST")  # noqa: S106
    with pytest.raises(SourceError, match=said) as raised:
        nights.night(connector, AT)
    assert "hunter2" not in str(raised.value) + "".join(raised.value.__notes__) + repr(connector)
    assert server.authorization == "Bearer hunter2"


def test_an_address_has_no_credentials(nights: Nights) -> None:
    with pytest.raises(SourceError, match="root holds credentials") as raised:
        nights.night(Feast("https://ann:hunter2@feast.example"), AT)
    assert "hunter2" not in "".join(raised.value.__notes__)
