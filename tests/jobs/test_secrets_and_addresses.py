"""What the config file names is looked at before a night: secrets, and places in stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.mlflow import Mlflow
from jobs.config import ConfigError, read_config
from jobs.operations.checks.sources import check_secrets

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[connectors.mlflow]
root = "http://127.0.0.1:9"
token_env = "TRACKER"
[[connectors.airflow]]
source = "gone"
retired = true
root = "http://127.0.0.1:9"
token_env = "OF_ONE_THAT_IS_RETIRED"
[connectors.model_api_usage]
vendor = "openai"
admin_key_file = "secrets/openai"
[connectors.alibaba_bill]
root = "bills"
[mail]
host = "mail.acme.example"
username_env = "MAIL_USER"
password_file = "secrets/mail"
[privacy]
key_env = "PSEUDONYMS"
[levers.webhook]
url = "https://quotas.acme.example/mlspend"
secret_file = "secrets/hook"
"""


def test_secrets_of_every_section_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources, mail, levers, pseudonyms; by variable and by file; there, whole, not everybody's."""
    for name in ("TRACKER", "MAIL_USER", "PSEUDONYMS"):
        monkeypatch.setenv(name, "canary" * 6)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("openai", "mail", "hook"):
        (secrets / name).write_text("canary\n", encoding="utf-8")
        (secrets / name).chmod(0o600)
    path = tmp_path / "mlspend.toml"
    path.write_text(CONFIG, encoding="utf-8")
    config = read_config(path)
    assert [(each.verdict, each.told) for each in check_secrets(config)] == [
        ("ok", "6 named, all set")
    ]

    monkeypatch.delenv("TRACKER")
    monkeypatch.setenv("PSEUDONYMS", "")
    (secrets / "openai").unlink()
    (secrets / "mail").write_text("{\n}\n", encoding="utf-8")
    (secrets / "hook").chmod(0o644)
    lacking, bare = check_secrets(config)
    assert (lacking.verdict, bare.verdict) == ("wrong", "warning")
    for part in (
        "4 of 6 cannot be had",
        "TRACKER is not set ([mlflow] token_env)",
        "PSEUDONYMS is empty ([privacy] key_env)",
        f"{secrets}/openai cannot be read: No such file",
        "([model_api_usage] admin_key_file)",
        f"{secrets}/mail holds more than one line of text ([mail] password_file)",
    ):
        assert part in lacking.told, part
    assert bare.told == f"anybody here may read {secrets}/hook"
    assert "canary" not in f"{lacking} {bare}"


ADDRESSES = """
[[connectors.focus]]
source = "a"
root = "s3:///x"
[[connectors.focus]]
source = "b"
root = "gs:///x"
[[connectors.focus]]
source = "c"
root = "s3://key:canary@bucket/x"
[connectors.azure_cost]
actual_root = "az:///container"
amortized_root = "az://account"
[[connectors.mapped_csv]]
source = "d"
root = "az://account/container?sig=canary"
date = "Date"
cost = "Cost"
currency = "=USD"
provider = "P"
[connectors.aws_cur]
root = "s3://bucket/prefix"
[connectors.gcp_billing]
root = "gs://bucket"
"""


def test_addresses_that_cannot_be_are_refused_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mlspend.toml"
    path.write_text(ADDRESSES, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_config(path)
    found = [(str(each), each.line) for each in error.value.mistakes]
    no_bucket, no_container = (
        "this address names no bucket",
        "this is not the address of a container",
    )
    assert [(line, what.partition(" of Azure")[0]) for what, line in found] == [
        (4, f"[connectors.focus] root: {no_bucket}"),
        (7, f"[connectors.focus] root: {no_bucket}"),
        (10, "[connectors.focus] root: the address holds a password"),
        (12, f"[connectors.azure_cost] actual_root: {no_container}"),
        (13, f"[connectors.azure_cost] amortized_root: {no_container}"),
        (16, "[connectors.mapped_csv] root: the address holds a signature, which is a secret"),
    ]
    assert all("fix: " in each.__notes__[1] for each in error.value.mistakes)
    told = "".join("".join((str(each), *each.__notes__)) for each in error.value.mistakes)
    assert "canary" not in told


CONTRADICTIONS = """
[connectors.focus]
[connectors.prometheus]
url = "http://prometheus"
root = "answers"
[connectors.kubeflow]
root = "ml-pipeline"
[connectors.slurm]
overlap_days = 0
[connectors.airflow]
root = "airflow.example"
[connectors.prefect]
root = "https://prefect.example/api"
rescan_days = -1
[connectors.lakefs]
root = "ftp://lakefs.example"
[connectors.identities]
root = "https://ann:canary@people"
[[connectors.ray]]
source = "gone"
retired = true
"""


def test_settings_that_contradict_each_other_are_told_before_a_night(tmp_path: Path) -> None:
    path = tmp_path / "mlspend.toml"
    path.write_text(CONTRADICTIONS, encoding="utf-8")
    days = "overlap_days and rescan_days are 1 or more, the other days 0 or more"
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert [(each.line, str(each)) for each in error.value.mistakes] == [
        (2, "[connectors.focus] either `root` or `table` must be given"),
        (3, "[connectors.prometheus] either url or root must be given"),
        (6, "[connectors.kubeflow] root is not an address without credentials"),
        (8, "[connectors.slurm] days are 1 or more"),
        (10, "[connectors.airflow] root is not an address without credentials"),
        (12, f"[connectors.prefect] {days}"),
        (15, "[connectors.lakefs] root is not an address without credentials"),
        (18, "[connectors.identities] root: the address holds a password"),
    ]
    told = "".join("".join((str(each), *each.__notes__)) for each in error.value.mistakes)
    assert f"in:  {path}:3" in told
    assert "canary" not in told


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_tracker_beside_the_config_file_is_found_from_anywhere(
    tmp_path: Path, prefix: str
) -> None:
    path = tmp_path / "mlspend.toml"
    for written in ("mlflow.db", f"{tmp_path}/mlflow.db"):
        path.write_text(f'[connectors.mlflow]\nroot = "{prefix}{written}"\n', encoding="utf-8")
        (source,) = read_config(path).sources
        assert source.connector == Mlflow(root=f"{prefix}{tmp_path}/mlflow.db")
