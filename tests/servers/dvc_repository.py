"""A repository that the real DVC works in: data that was added, a pipeline that ran, a push."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.cache import venv_from_lock

PIPELINE = """
stages:
  prepare:
    meta: {mlflow_run_id: 7a2b}
    cmd: mkdir -p ready && cat data/images/* > ready/all && echo made >> ready/all
    deps: [data/images, labels.csv, prepare.py]
    outs: [ready]
  train:
    meta: {team: vision, user: ann}
    cmd: |
      echo "secret-7c1d" > eyes.bin && echo '{"mlflow_run_id": "8f3c", "loss": 0.5}' > metrics.json
    deps: [ready/all]
    params: [lr, slurm_job_id, token]
    outs: [eyes.bin]
    metrics: [metrics.json: {cache: false}]
  score:
    foreach: [a, b]
    do:
      meta: {ray_job_id: r1}
      wdir: scores
      cmd: echo ${item} > ${item}.txt
      deps: [../eyes.bin]
      outs: ["${item}.txt": {remote: tree}]
  nameless:
    cmd: echo 1 > one
    outs: [one]
artifacts:
  eyes: {path: eyes.bin, type: model}
"""


@dataclass(frozen=True, slots=True)
class DvcRepository:
    """One repository, and the folder that its data was pushed to."""

    folder: Path
    store: Path
    commands: Path

    def dvc(self, *words: str) -> None:
        """Run DVC."""
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}
        subprocess.run(["dvc", *words, "--quiet"], cwd=self.folder, env=env, check=True)

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="session")
def dvc_repository(tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    """Have DVC add, run and push."""
    top = tmp_path_factory.mktemp("dvc")
    lock = Path(__file__).with_name("dvc.lock")
    (top / "lab").mkdir()
    lab = DvcRepository(top / "lab", top / "store", venv_from_lock("dvc", lock) / "bin")
    lab.dvc("init", "--no-scm")
    for number in range(3):
        lab.write(f"data/images/{number}.txt", str(number))
    lab.write("labels.csv", "labels")
    lab.write("prepare.py", "code")
    lab.write("params.yaml", "lr: 0.1\nslurm_job_id: 77\ntoken: secret-7c1d\n")
    lab.write("scores/keep", "")
    lab.dvc("add", "data/images", "labels.csv")
    # the tool wants a library of S3's only where it pushes there, so that it pushes to a folder
    lab.dvc("remote", "add", "--default", "main", "s3://Lab-Data/store")
    lab.dvc("remote", "add", "tree", "s3://lab-tree/here")
    lab.dvc("remote", "modify", "tree", "version_aware", "true")
    lab.dvc("remote", "modify", "--local", "main", "secret_access_key", "secret-7c1d")
    lab.dvc("remote", "add", "near", str(lab.store))
    lab.write("dvc.yaml", PIPELINE.replace(": {remote: tree}", ""))
    lab.dvc("repro")
    lab.dvc("push", "--remote", "near")
    lab.write("dvc.yaml", PIPELINE)
    return lab
