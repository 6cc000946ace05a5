"""A real MLflow server with several workspaces, in which names are the same and work is not."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.base import SourceError
from connectors.mlflow import Mlflow
from tests.connectors.mlflow_nights import HOUR, Nights

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer

pytest_plugins = ["tests.servers.mlflow_server"]
pytestmark = [pytest.mark.servers]
WORKSPACES = ("default", "speech", "vision")


@pytest.fixture(scope="module")
def made(mlflow_with_workspaces: MlflowServer) -> dict[str, str]:
    """Do some work in three workspaces; return name of run -> id."""
    done: dict[str, str] = mlflow_with_workspaces.work("in_workspaces", now=int(time.time() * 1000))
    return done


@pytest.mark.parametrize("way", ["server", "database"])
def test_every_workspace_is_read_and_none_is_taken_for_another(
    mlflow_with_workspaces: MlflowServer, made: dict[str, str], tmp_path: Path, way: str
) -> None:
    root = mlflow_with_workspaces.uri if way == "server" else mlflow_with_workspaces.store
    nights = Nights(tmp_path)
    at = datetime.now(UTC) + timedelta(minutes=1)
    nights.night(Mlflow(root), at)
    assert nights.night(Mlflow(root), at + timedelta(hours=1)) == set()

    runs = nights.rows("runs", "native_id, experiment, run_key")
    assert {row["native_id"] for row in runs} == set(made.values())
    experiments = {row["native_id"]: row["experiment"] for row in runs}
    places = {name: "resnet" if name == "default" else f"{name}/resnet" for name in WORKSPACES}
    assert {name: experiments[made[name]] for name in WORKSPACES} == places

    keys = {row["run_key"]: row["native_id"] for row in runs}
    models = {
        keys[row["run_key"]]: (row["model_name"], row["model_version"])
        for row in nights.rows("run_models")
    }
    assert models == {
        made["default"]: ("resnet50", "1"),
        made["speech"]: ("speech/resnet50", "1"),
        made["vision"]: ("vision/resnet50", "1"),
    }


def test_a_workspace_that_is_named_is_read_alone(
    mlflow_with_workspaces: MlflowServer, made: dict[str, str], tmp_path: Path
) -> None:
    nights = Nights(tmp_path)
    source = Mlflow(mlflow_with_workspaces.uri, workspace="speech")
    nights.night(source, datetime.now(UTC))
    found = {row["native_id"] for row in nights.rows("runs", "native_id")}
    assert found == {made["speech"], made["open in speech"]}
    with pytest.raises(SourceError, match='has no workspace "speach"'):
        nights.night(replace(source, workspace="speach"), datetime.now(UTC))


def test_a_run_that_ended_in_the_past_is_found_in_its_workspace(
    mlflow_with_workspaces: MlflowServer, made: dict[str, str], tmp_path: Path
) -> None:
    nights = Nights(tmp_path)
    at = datetime.now(UTC)
    nights.night(Mlflow(mlflow_with_workspaces.uri), at)
    run_id, long_ago = made["open in vision"], int(at.timestamp() * 1000) - 300 * HOUR
    mlflow_with_workspaces.work("end_in_the_past", workspace="vision", run_id=run_id, at=long_ago)
    nights.night(Mlflow(mlflow_with_workspaces.uri), at + timedelta(days=1))
    (row,) = [row for row in nights.rows("runs", "native_id, status") if row["native_id"] == run_id]
    assert row["status"] == "succeeded"
