"""Spoiled answers of OpenCost: refused by name, file and day; never quietly wrong."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from tests.connectors.opencost_cluster import DAY, GOOD, Json, allocation, answer, save
from tests.connectors.telemetry import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def spoil(change: Callable[[Json], Any]) -> Json:
    """Return the good answer, its first allocation changed."""
    content = deepcopy(GOOD)
    change(next(iter(content["data"][0].values())))
    return content


def put(*path: str, value: Any) -> Callable[[Json], None]:
    def change(it: Json) -> None:
        for key in path[:-1]:
            it = it[key]
        it[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Json], None]:
    def change(it: Json) -> None:
        for key in path[:-1]:
            it = it[key]
        del it[path[-1]]

    return change


HOURS = ("cpuCoreHours", "gpuHours", "ramByteHours")
BAD_NUMBERS: list[Any] = [None, "1", -1, True, [1], {}, float("nan"), float("inf")]
CHANGES: list[Callable[[Json], None]] = [
    *(drop(key) for key in (*HOURS, "window", "start", "end", "properties")),
    *(drop("window", key) for key in ("start", "end")),
    *(drop("properties", key) for key in ("pod", "namespace")),
    *(put(key, value=value) for key in HOURS for value in BAD_NUMBERS),
    *(
        put(key, value=value)
        for key in ("start", "end")
        for value in (
            *(None, 0, "", "noon", "2026-10-05T00:30:00", "2026-10-05", "2026-10-04T23:59:59Z"),
            *("2026-10-05T01:00:01Z", "2026-10-05T00:61:00Z"),
        )
    ),
    *(
        put("window", key, value=value)
        for key in ("start", "end")
        for value in (None, "2026-10-04T00:00:00Z", "2026-10-06T00:00:01Z", 1)
    ),
    put("end", value="2026-10-05T00:00:00Z"),  # four GPU-hours in no time
    put("properties", value="p"),
    put("properties", "pod", value=""),
    put("properties", "pod", value=7),
    put("properties", "namespace", value=None),
    put("properties", "node", value=["node-a"]),
    put("properties", "providerID", value=7),
    put("properties", "labels", value="user=alice"),
    put("properties", "labels", "user", value=["alice"]),
    put("window", value="1h"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_spoiled_allocation_is_refused_by_its_name(
    tmp_path: Path, change: Callable[[Json], None]
) -> None:
    with pytest.raises(SourceError) as caught:
        list(save(tmp_path / "a", spoil(change)).deliveries(Ledger()))
    assert "train-1/main' cannot be read" in str(caught.value)
    assert f"{DAY}.json" in caught.value.__notes__[0]


TEXT = json.dumps(GOOD)
SPOILED: dict[str, tuple[Any, str]] = {
    "broken off": (TEXT[:-20], "not a whole answer"),
    "empty": ("", "not a whole answer"),
    "a login page": ("<html></html>", "not a whole answer"),
    "two answers": (TEXT * 2, "not a whole answer"),
    "a list": ("[]", "no allocation"),
    "no data": ({"code": 200}, "no allocation: it has no sets"),
    "data as an object": ({"code": 200, "data": {}}, "no allocation"),
    "an error": ({"code": 400, "message": "bad window"}, "bad window"),
    "no code": ({"data": []}, "no allocation"),
    "a set as text": ({"code": 200, "data": ["x"]}, "set 1 holds no allocations"),
    "an allocation as text": ({"code": 200, "data": [{"p": "x"}]}, "'p' cannot be read"),
    "no allocation": ({"code": 200, "data": [{"p": None}]}, "'p' cannot be read"),
    "no sets": ({"code": 200, "data": []}, "there is no pod"),
    "empty sets": ({"code": 200, "data": [{}, None]}, "there is no pod"),
    "idle alone": ({"code": 200, "data": [{"__idle__": {}}]}, "there is no pod"),
    "by namespace": (
        answer([("vision", allocation("p")[1] | {"properties": {"namespace": "vision"}})]),
        "no pod's; do not aggregate",
    ),
    "a set twice": (answer([allocation("p")], [allocation("p")]), "two sets tell of"),
    "hours and their day": (
        answer([allocation("p")], [allocation("p", hours=24)]),
        "two sets tell of",
    ),
    "a pod twice": (
        answer([("a", allocation("p")[1]), ("b", allocation("p")[1])]),
        "vision/p is there twice",
    ),
}


@pytest.mark.parametrize(("content", "said"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_answer_is_refused_by_its_file(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(save(tmp_path / "a", content).deliveries(Ledger()))
    assert said in str(caught.value)
    assert f"{DAY}.json" in caught.value.__notes__[0]


def test_packed_answers_are_read_and_a_day_twice_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "a", GOOD)
    packed = tmp_path / "a" / f"{DAY}.json.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    with pytest.raises(SourceError, match="2026-10-05 is there twice"):
        list(source.deliveries(Ledger()))
    (tmp_path / "a" / f"{DAY}.json").unlink()
    assert len(list(source.deliveries(Ledger()))) == 1
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(SourceError, match="not a whole answer"):
        list(source.deliveries(Ledger()))


def test_a_spoiled_day_does_not_hold_up_the_others(tmp_path: Path) -> None:
    save(tmp_path / "a", "{", "2026-10-04.json")
    save(tmp_path / "a", "{", "2026-13-04.json")
    ledger = Ledger()
    with pytest.raises(SourceError) as caught:
        ledger.take(save(tmp_path / "a", GOOD).deliveries(ledger))
    assert list(ledger.seen) == [("allocations", "2026-10-05")]
    assert caught.value.__notes__[-1] == "and so for 1 more days"
