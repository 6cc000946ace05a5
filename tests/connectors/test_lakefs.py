"""lakeFS's repositories and commits, from answers in the shape of its own client's models."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.lakefs import Lakefs
from tests.connectors.json_server import serving
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
MADE = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())


@dataclass
class Lake:
    """A lakeFS of one repository, `images`; what goes wrong with a path is in `faults`."""

    parents: dict[str, list[str]] = field(default_factory=lambda: {"c0": []})
    branches: dict[str, str] = field(default_factory=lambda: {"main": "c0"})
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=lambda: {"team": "vision", "owner": "ann"})
    faults: dict[str, tuple[int, object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorization: str = ""
    uri: str = ""

    def commit(self, commit_id: str, *parents: str, branch: str = "main", **said: str) -> None:
        """Put a commit on a branch."""
        self.parents[commit_id] = list(parents)
        self.branches[branch] = commit_id
        self.said[commit_id] = said

    def answer(self, path: str, given: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """Return a status and an answer."""
        self.authorization = authorization
        path = path.removeprefix("/api/v1/")
        self.asked.append(path)
        if path in self.faults:
            return self.faults[path]
        if path == "repositories/images/metadata":
            return 200, self.metadata
        log = re.fullmatch("repositories/images/refs/(.+)/commits", path)
        if path == "repositories":
            found: list[Any] = [
                {
                    "id": "images",
                    "creation_date": MADE,
                    "default_branch": "main",
                    "storage_namespace": "s3://Lake-Data/images/",
                    "read_only": False,
                }
            ]
        elif path == "repositories/images/branches":
            found = [{"id": name, "commit_id": head} for name, head in self.branches.items()]
        elif log:
            found = [self._told(one) for one in self._log(self.branches[log[1]])]
        else:
            return 404, {"message": "not found"}
        return 200, self._page(found, given)

    def _page(self, found: list[Any], given: Mapping[str, str]) -> dict[str, Any]:
        first = int(given["after"] or 0)
        page = found[first : first + int(given["amount"])]
        upto = first + len(page)
        has_more = upto < len(found)
        pages = {"has_more": has_more, "next_offset": str(upto), "results": len(page)}
        return {"pagination": {**pages, "max_per_page": 1000}, "results": page}

    def _log(self, head: str) -> list[str]:
        """Return a commit and all before it, children first: ids grow with time."""
        found, below = set(), [head]
        while below:
            one = below.pop()
            found.add(one)
            below += self.parents[one]
        return sorted(found, reverse=True)

    def _told(self, commit_id: str) -> dict[str, Any]:
        return {
            "id": commit_id,
            "parents": self.parents[commit_id],
            "committer": "svc",
            "message": "hunter2 is the password",
            "creation_date": MADE,
            "meta_range_id": "m",
            "metadata": self.said.get(commit_id, {}),
            "generation": 1,
            "version": 1,
        }


@pytest.fixture
def lake() -> Iterator[Lake]:
    served = Lake()
    with serving(served.answer) as uri:
        served.uri = uri
        yield served


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights("lakefs", tmp_path)


def delivered(nights: Nights) -> list[str]:
    """Return the commits that have landed, each time they did."""
    return sorted(re.findall("'commit_id': '(.+?)'", nights.raw_text()))


def test_a_repository_is_a_dataset_and_its_commits_are_versions(lake: Lake, nights: Nights) -> None:
    lake.commit("c1", "c0")
    assert set(nights.night(Lakefs(lake.uri), AT)) == {"repositories", "commits"}
    rows = nights.rows("lakefs__datasets")
    assert {(row["version"], row["uri"]) for row in rows} == {
        (None, "lakefs://images"),
        (None, "s3://lake-data/images"),
        ("c0", "s3://lake-data/images"),
        ("c1", "s3://lake-data/images"),
        ("c0", "lakefs://images/c0"),
        ("c1", "lakefs://images/c1"),
    }
    assert {(row["dataset"], row["owner_user"], row["owner_team"]) for row in rows} == {
        ("images", "ann", "vision")
    }
    assert nights.rows("lakefs__runs") == []
    assert "hunter2" not in nights.raw_text()


def test_a_commit_that_names_a_run_tells_what_it_wrote(lake: Lake, nights: Nights) -> None:
    lake.commit("c1", "c0", mlflow_run_id="8f3c", slurm_job_id="77", team="nlp")
    nights.night(Lakefs(lake.uri), AT)
    (run,) = nights.rows("lakefs__runs")
    assert (run["native_id"], run["team_raw"]) == ("images/c1", "nlp")
    assert {run[time] for time in ("started_at", "ended_at", "last_seen_at")} == {None}
    (wrote,) = nights.rows("lakefs__run_outputs")
    assert (wrote["dataset_uri"], wrote["dataset_digest"]) == ("lakefs://images/c1", "c1")
    (told,) = nights.rows("lakefs__run_tags")
    assert (told["run_key"], told["called"]) == (run["run_key"], "metadata")
    assert told["tags"] == {"mlflow_run_id": "8f3c", "slurm_job_id": "77", "team": "nlp"}


def test_nights_read_what_is_new_once(lake: Lake, nights: Nights) -> None:
    """Side branches, a merge of one that is gone, and a branch from far back."""
    for number in range(1, 6):
        lake.commit(f"c{number}", f"c{number - 1}")
    small = Lakefs(lake.uri, page_size=2)
    nights.night(small, AT)
    assert nights.night(small, AT + timedelta(days=1)) == {}
    assert not any(path.endswith("/commits") for path in lake.asked[-3:])
    lake.commit("c6", "c2", branch="late/one")
    lake.commit("c7", "c5")
    lake.parents |= {"c8": ["c1"]}  # of a branch that was deleted
    lake.commit("c9", "c7", "c8")
    lake.asked.clear()
    assert set(nights.night(small, AT + timedelta(days=2))) == {"commits"}
    assert delivered(nights) == [f"c{number}" for number in range(10)]
    assert sum(path.endswith("/commits") for path in lake.asked) == 3  # of 2 each, not to the root


def test_what_changes_about_a_repository_is_news(lake: Lake, nights: Nights) -> None:
    nights.night(Lakefs(lake.uri), AT)
    lake.metadata = {"team": "nlp"}
    assert set(nights.night(Lakefs(lake.uri), AT + timedelta(days=1))) == {"repositories"}
    rows = nights.rows("lakefs__datasets")
    assert {(row["owner_user"], row["owner_team"]) for row in rows} == {(None, "nlp")}


@pytest.mark.parametrize("status", [403, 404])
def test_metadata_may_be_refused_or_unknown(lake: Lake, nights: Nights, status: int) -> None:
    lake.faults["repositories/images/metadata"] = status, {"message": "no"}
    nights.night(Lakefs(lake.uri), AT)
    assert {row["owner_team"] for row in nights.rows("lakefs__datasets")} == {None}


def test_a_branch_may_go_while_it_is_read(lake: Lake, nights: Nights) -> None:
    lake.commit("c1", "c0", branch="gone")
    lake.faults["repositories/images/refs/gone/commits"] = 404, {"message": "no"}
    nights.night(Lakefs(lake.uri), AT)
    assert delivered(nights) == ["c0"]


@pytest.mark.parametrize(
    ("path", "status", "told", "said"),
    [
        ("repositories", 401, {"message": "error authenticating"}, "401 error authenticating"),
        ("repositories", 404, {}, "lakeFS answers 404"),
        ("repositories", 200, {"results": None}, "lakeFS answers 200"),
        ("repositories/images/branches", 403, {"message": "no right"}, "403 no right"),
        ("repositories/images/metadata", 400, {"message": "odd"}, "400 odd"),
    ],
)
def test_what_is_refused_is_told_and_no_secret_shown(  # noqa: PLR0913, PLR0917 - what a refusal is
    lake: Lake,
    nights: Nights,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    told: object,
    said: str,
) -> None:
    monkeypatch.setenv("LAKE_ID", "AKIA")
    monkeypatch.setenv("LAKE_SECRET", "hunter2")
    lake.faults[path] = status, told
    connector = Lakefs(lake.uri, access_key_env="LAKE_ID", secret_key_env="LAKE_SECRET")  # noqa: S106
    with pytest.raises(SourceError, match=said) as raised:
        nights.night(connector, AT)
    assert "hunter2" not in str(raised.value) + "".join(raised.value.__notes__) + repr(connector)
    sent = base64.b64decode(lake.authorization.removeprefix("Basic ")).decode()
    assert sent == "AKIA:hunter2"


@pytest.mark.parametrize("root", ["lakefs.example", "https://AKIA:hunter2@lakefs.example"])
def test_an_address_has_no_credentials(nights: Nights, root: str) -> None:
    with pytest.raises(SourceError, match="not an address without credentials") as raised:
        nights.night(Lakefs(root), AT)
    assert "hunter2" not in "".join(raised.value.__notes__)
