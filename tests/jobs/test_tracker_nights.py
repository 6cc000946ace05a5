"""A whole night on runs of trackers that know a host alone: its cost is theirs, to the cent."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from queries.generation import newest_generation
from queries.read import open_generation, run_named
from tests.connectors import test_clearml, test_guild, test_wandb
from tests.connectors.fake_tracker import serving
from tests.connectors.mlflow_nights import Store
from tests.jobs.test_other_bills import ask, billed, night

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.connectors.fake_tracker import Json

HOUR = 3_600_000_000
CARD = (
    "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count\n"
    "box-of-wandb,EUR,4800.000000000024,48,2026-10-03,2026-10-04,2\n"
    "box-of-clearml,EUR,2400.000000000048,48,2026-10-03,2026-10-04,2\n"
    "box-of-guild,EUR,9600.000000000024,48,2026-10-03,2026-10-04,4\n"
)
OWNERSHIP = """
[[datasets]]
name = "images"
uri = "s3://acme/made-by-wandb"
[[datasets]]
name = "texts"
uri = "s3://acme/made-by-clearml"
[[datasets]]
name = "sounds"
uri = "s3://acme/made-by-guild"
"""
SPENT = """
    select dimension, member, sum(effective_cost)
    from marts.spend_daily
    where dimension in ('user', 'team', 'model', 'dataset')
    group by all
"""


def of_wandb() -> Json:
    """Return a run that held both GPUs of its host for an hour."""
    config = (
        '{"finops": {"value": {"gpu_count": 2, "output_dataset": "s3://acme/made-by-wandb/v1"}}}'
    )
    return test_wandb.run("r0", 0, host="box-of-wandb", config=config, user={"username": "ann"})


def of_clearml() -> Json:
    """Return a task that held one of the two GPUs of its host for an hour."""
    return test_clearml.task(
        "t0",
        2,
        started="2026-10-03T02:00:00+00:00",
        user={"id": "u1", "name": "bob"},
        tags=["team:search"],
        runtime={"hostname": "box-of-clearml", "gpu_count": 1},
        last_worker="box-of-clearml:gpu0",
        hyperparams={
            "properties": {"finops.output_dataset": {"value": "s3://acme/made-by-clearml/"}}
        },
        models={"output": [{"name": "best", "model": {"id": "m1", "name": "reader"}}]},
    )


def of_guild(home: Path) -> None:
    """Save a run that held two of the four GPUs of its host for two hours."""
    test_guild.saved(
        home,
        "g0",
        exit_status="0",
        stopped=f"{test_guild.BEGUN + 2 * HOUR}",
        host="box-of-guild",
        user="cyd",
        label="team:speech",
        run_params="gpus: 0,1",
        flags="finops.output_dataset: s3://acme/made-by-guild",
    )


def test_runs_of_trackers_are_paid_to_the_cent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They held a 24th, half of a 24th and half of a 12th of a machine; the rest is idle."""
    (tmp_path / "card.csv").write_text(CARD, encoding="utf-8")
    (tmp_path / "ownership.toml").write_text(OWNERSHIP, encoding="utf-8")
    of_guild(tmp_path / "guild")
    for name in ("WANDB_API_KEY", "CLEARML_API_ACCESS_KEY", "CLEARML_API_SECRET_KEY"):
        monkeypatch.setenv(name, "hunter2")
    with ExitStack() as stack:
        wandb = stack.enter_context(serving(test_wandb.Service({"search": [of_wandb()]}).answer))
        clearml = stack.enter_context(serving(test_clearml.Server([of_clearml()]).answer))
        night(
            tmp_path,
            '[connectors.rate_card]\npath = "card.csv"\n'
            '[connectors.ownership]\npath = "ownership.toml"\n'
            f'[connectors.wandb]\nentity = "acme"\nroot = "{wandb.uri}"\n'
            f'[connectors.clearml]\nroot = "{clearml.uri}"\n'
            '[connectors.guild]\nroot = "guild"\n',
        )
    assert billed(tmp_path) == {"EUR": Decimal("16800.000000000096")}
    spent: dict[str, dict[str, Decimal]] = {}
    for dimension, member, cost in ask(tmp_path, SPENT):
        spent.setdefault(dimension, {})[member] = cost
    assert all(sum(costs.values()) == Decimal("16800.000000000096") for costs in spent.values())
    cents = {
        dimension: {member: cost.quantize(Decimal("0.01")) for member, cost in costs.items()}
        for dimension, costs in spent.items()
    }
    idle = Decimal("16150.00")
    assert cents == {
        "user": {"ann": 200, "bob": 50, "cyd": 400, "(idle)": idle},
        "team": {"vision": 200, "search": 50, "speech": 400, "(idle)": idle},
        "model": {"ranker": 200, "reader": 50, "not a model's": 400, "(idle)": idle},
        "dataset": {"images": 200, "texts": 50, "sounds": 400, "(idle)": idle},
    }
    with open_generation(newest_generation(tmp_path / "state")) as con:
        columns, rows = run_named(con, "source_coverage", {})
    told = [dict(zip(columns, map(str, row), strict=True)) for row in rows]
    assert [
        (row["source"], row["run_count"], row["alone_cost"][:6], row["cost_share"][:6])
        for row in told
    ] == [
        ("guild", "1", "400.00", "0.6153"),
        ("wandb", "1", "200.00", "0.3076"),
        ("clearml", "1", "49.999", "0.0769"),
    ]


def test_a_quiet_machine_is_found_by_what_mlflow_saw_of_its_gpus(tmp_path: Path) -> None:
    """Of two machines without other telemetry one's GPUs did next to nothing for three hours."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(2)
    (tmp_path / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count\n"
        + "".join(
            f"{name},EUR,4800,48,{day:%Y-%m-%d},{day + timedelta(1):%Y-%m-%d},2\n"
            for name in ("quiet-box", "busy-box")
        ),
        encoding="utf-8",
    )
    store = Store(tmp_path / "mlflow.db")
    begun = int(day.timestamp() * 1000)
    for name, percent in (("quiet-box", 2.0), ("busy-box", 80.0)):
        run_id = store.run(name, begun, begun + 3 * HOUR // 1000, finops__instance_id=name)
        times = range(begun, begun + 3 * HOUR // 1000, 30_000)
        for gpu in (0, 1):
            key = f"system/gpu_{gpu}_utilization_percentage"
            store.gpu(run_id, key, [(at, percent) for at in times])
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card.csv"\n'
        '[connectors.mlflow]\nroot = "mlflow.db"\ngpu_metrics = true\n',
    )
    found = ask(
        tmp_path,
        "select resource_id, evidence from marts.findings where detector = 'idle_gpu_machines'",
    )
    assert [name for name, _ in found] == ["quiet-box"]
    assert "for 3 h" in found[0][1]


def test_a_run_that_went_on_past_its_best_is_found_by_what_mlflow_has_of_it(tmp_path: Path) -> None:
    """It was best after an hour, of ten; the other to the end."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(2)
    (tmp_path / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count\n"
        + "".join(
            f"{name},EUR,4800,48,{day:%Y-%m-%d},{day + timedelta(1):%Y-%m-%d},2\n"
            for name in ("long-box", "good-box")
        ),
        encoding="utf-8",
    )
    store = Store(tmp_path / "mlflow.db")
    begun, hour = int(day.timestamp() * 1000), HOUR // 1000
    for column in ("key text", "step bigint"):
        store.connection.execute(f"alter table latest_metrics add column {column}")
    for name, best in (("long-box", 1), ("good-box", 10)):
        run_id = store.run(name, begun, begun + 10 * hour, finops__instance_id=name)
        times = [begun + number * hour // 2 for number in range(21)]
        store.gpu(run_id, "val/loss", [(at, abs(at - begun - best * hour)) for at in times])
        store.connection.execute(
            "insert into latest_metrics (run_uuid, key, step, timestamp) values (?, ?, 20, ?)",
            (run_id, "val/loss", times[-1]),
        )
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card.csv"\n[detectors.runs_past_best]\nmin_waste = 0.1\n'
        '[connectors.mlflow]\nroot = "mlflow.db"\nobjectives = ["val/*"]\n',
    )
    told = ask(
        tmp_path,
        "select run_name, direction, best_step, hours_after_best, "
        "round(cost_after_best / effective_cost, 6) from marts.run_objectives order by run_name",
    )
    assert [tuple(row) for row in told] == [
        ("the good-box", "minimise", 20, 0.0, 0.0),
        ("the long-box", "minimise", 2, 9.0, 0.9),
    ]
    found = ask(
        tmp_path,
        "select resource_name, owner_user, evidence from marts.findings "
        "where detector = 'runs_past_best'",
    )
    assert len(found) == 1
    assert found[0][2].startswith("1 run went on for 8 h past the best val/loss")
