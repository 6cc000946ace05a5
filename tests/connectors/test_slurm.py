"""Slurm's jobs from saved outputs and from a sacct of the tests' own: parsed, nightly, staged."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.slurm import Slurm
from connectors.slurm_records import FIELDS, expanded
from tests.connectors.scheduler_nights import Nights

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 10, 5, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = list(FIELDS)
USUAL = {
    "JobIDRaw": "17",
    "JobID": "17",
    "JobName": "train",
    "User": "ann",
    "Account": "vision",
    "Cluster": "ml",
    "State": "COMPLETED",
    "ExitCode": "0:0",
    "Submit": "2026-10-04T10:00:00",
    "Start": "2026-10-04T12:00:00",
    "End": "2026-10-04T14:00:00",
    "ElapsedRaw": "7200",
    "Suspended": "00:00:00",
    "TimelimitRaw": "600",
    "AllocTRES": "billing=8,cpu=8,gres/gpu:a100=8,gres/gpu=8,mem=64G,node=2",
    "NodeList": "gpu[01-02]",
    "DBIndex": "1",
}


def line(separator: str = "|", **changed: str) -> str:
    return separator.join({**USUAL, **changed}.get(name, "") for name in NAMES)


def output(*lines: str, separator: str = "|") -> str:
    return "\n".join([separator.join(NAMES), *lines, ""])


def saved(folder: Path, *lines: str, name: str = "2026-10-05.txt", **settings: Any) -> Nights:
    """Save an output, and land what a night makes of it."""
    root = folder / "saved"
    root.mkdir(exist_ok=True)
    (root / name).write_text(output(*lines), encoding="utf-8")
    nights = Nights(folder, "slurm")
    nights.night(Slurm(root=str(root), **settings), AT)
    return nights


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-10-{text}")


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("gpu1", ["gpu1"]),
        ("gpu[1-3]", ["gpu1", "gpu2", "gpu3"]),
        ("gpu[08-11,20],login1", ["gpu08", "gpu09", "gpu10", "gpu11", "gpu20", "login1"]),
        ("r[1-2]n[01-02]-ib", ["r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib"]),
        ("gpu[099-101]", ["gpu099", "gpu100", "gpu101"]),
        ("a,b[3],c", ["a", "b3", "c"]),
        ("None assigned", []),
        ("", []),
    ],
)
def test_a_list_of_nodes_stands_for_its_nodes(text: str, nodes: list[str]) -> None:
    assert expanded(text, where="here") == nodes


@pytest.mark.parametrize(
    "text", ["gpu[1-", "gpu1-3]", "gpu[a-b]", "gpu[3-1]", "gpu[]", "a,,b", "n[1-9999999]", "n[1+]"]
)
def test_a_list_that_was_cut_off_is_an_error(text: str) -> None:
    with pytest.raises(SourceError, match="is no list of nodes"):
        expanded(text, where="here")


@given(low=st.integers(0, 1200), count=st.integers(1, 50), width=st.integers(1, 5))
def test_a_range_has_as_many_different_nodes_as_it_spans(low: int, count: int, width: int) -> None:
    text = f"n[{low:0{width}}-{low + count - 1:0{width}}]"
    nodes = expanded(text, where="here")
    assert len(set(nodes)) == count
    assert [int(node[1:]) for node in nodes] == list(range(low, low + count))


def test_a_job_is_told_whole(tmp_path: Path) -> None:
    nights = saved(tmp_path, line(WCKey="*search", Comment="mlflow_run_id=r1; note=x"))
    columns = "system, native_id, attempt, kind, run_name, user_raw, team_raw, project_raw"
    assert nights.rows("runs", columns) == [
        ("slurm", "17", 1, "job", "train", "ann", "vision", "search")
    ]
    columns = "status, status_raw, started_at, ended_at, last_seen_at, gpu_count"
    times = (at("04T12:00"), at("04T14:00"), at("04T14:00"))
    assert nights.rows("runs", columns) == [("succeeded", "COMPLETED", *times, Decimal(8))]
    columns = "node, gpu_count, cpu_count, memory_gib, started_at, ended_at"
    held = (Decimal(4), Decimal(4), Decimal(32), at("04T12:00"), at("04T14:00"))
    assert nights.rows("run_places", columns) == [("gpu01", *held), ("gpu02", *held)]
    tagged = nights.rows("run_tags", "called, tags['mlflow_run_id']")
    assert tagged == [("comment", "r1")]


@pytest.mark.parametrize(
    ("others", "gpus"), [("cpu=8,gres/gpu:a100=8,mem=64G", Decimal(0)), ("cpu=8,mem=64G", None)]
)
def test_a_job_without_gpus_holds_none_where_the_cluster_counts_them(
    tmp_path: Path, others: str, gpus: Decimal | None
) -> None:
    plain = {"JobIDRaw": "18", "JobID": "18", "DBIndex": "2", "AllocTRES": "cpu=2,mem=512M"}
    nights = saved(tmp_path, line(AllocTRES=others), line(**plain))
    told = nights.rows("slurm__newest_jobs", "job_id_raw, gpu_count, cpu_count, memory_gib")
    assert told[1] == ("18", gpus, Decimal(2), Decimal("0.5"))


@pytest.mark.parametrize(
    ("memory", "gib"),
    [("1T", 1024), ("1.5G", Decimal("1.5")), ("2048", 2), ("1048576K", 1), ("some", None)],
)
def test_memory_is_read_in_the_units_that_sacct_prints(
    tmp_path: Path, memory: str, gib: Decimal | int | None
) -> None:
    nights = saved(tmp_path, line(AllocTRES=f"billing=8,cpu=8,mem={memory},node=1"))
    assert nights.rows("slurm__newest_jobs", "memory_gib") == [(gib,)]


def test_without_slurm_every_table_is_there_and_empty(tmp_path: Path) -> None:
    nights = Nights(tmp_path, "slurm")
    for table in ("runs", "run_places", "run_tags"):
        assert nights.rows(table) == []


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("COMPLETED", "succeeded"),
        ("FAILED", "failed"),
        ("TIMEOUT", "failed"),
        ("OUT_OF_MEMORY", "failed"),
        ("NODE_FAIL", "failed"),
        ("CANCELLED by 1000", "cancelled"),
        ("PREEMPTED", "preempted"),
        ("REQUEUED", "preempted"),
        ("UNHEARD_OF", "lost"),
    ],
)
def test_each_state_has_one_meaning(tmp_path: Path, state: str, status: str) -> None:
    nights = saved(tmp_path, line(State=state))
    assert nights.rows("runs", "status, ended_at") == [(status, at("04T14:00"))]


def test_each_time_that_a_job_was_requeued_is_an_attempt_that_held_its_gpus(tmp_path: Path) -> None:
    again = {"Submit": "2026-10-04T14:00:00", "Start": "2026-10-04T15:00:00"}
    again |= {"End": "2026-10-04T16:00:00", "NodeList": "gpu07", "DBIndex": "9"}
    nights = saved(tmp_path, line(**again), line(State="REQUEUED", DBIndex="3"))
    assert nights.rows("runs", "attempt, status, native_id") == [
        (1, "preempted", "17"),
        (2, "succeeded", "17"),
    ]
    assert [row[0] for row in nights.rows("run_places", "node")] == ["gpu01", "gpu02", "gpu07"]


def test_tasks_of_an_array_are_known_by_their_own_ids(tmp_path: Path) -> None:
    tasks = [line(JobIDRaw=raw, JobID=f"17_{raw}", DBIndex=raw) for raw in ("18", "19", "17")]
    nights = saved(tmp_path, *tasks)
    assert nights.rows("runs", "native_id, parent_native_id") == [
        ("17", None),
        ("18", None),
        ("19", None),
    ]


def test_the_parts_of_a_heterogeneous_job_are_one_run(tmp_path: Path) -> None:
    lead = line(JobID="17+0", AllocTRES="gres/gpu=2,node=1", NodeList="gpu01")
    other = {"JobIDRaw": "18", "JobID": "17+1", "DBIndex": "2", "End": "2026-10-04T15:00:00"}
    nights = saved(tmp_path, lead, line(**other, NodeList="big[1-2]"))
    assert nights.rows("runs", "native_id, gpu_count, ended_at") == [
        ("17", Decimal(10), at("04T15:00"))
    ]
    assert nights.rows("run_places", "node, gpu_count, ended_at") == [
        ("big1", Decimal(4), at("04T15:00")),
        ("big2", Decimal(4), at("04T15:00")),
        ("gpu01", Decimal(2), at("04T14:00")),
    ]


def test_steps_are_no_jobs(tmp_path: Path) -> None:
    nights = saved(tmp_path, line(), line(JobIDRaw="17.batch", JobID="17.batch"))
    assert len(nights.rows("runs")) == 1


@pytest.mark.parametrize(
    ("tres", "count"),
    [
        ("cpu=4,gres/gpu:a100=2,gres/gpu:h100=1,node=1", 3),
        ("gres/gpu=2,gres/gpu:a100=2", 2),
        ("cpu=4,gres/gpumem=80G,gres/shard=4,node=1", None),
        ("", None),
    ],
)
def test_gpus_are_counted_once(tmp_path: Path, tres: str, count: int | None) -> None:
    nights = saved(tmp_path, line(AllocTRES=tres))
    assert nights.rows("runs", "gpu_count") == [(count and Decimal(count),)]


def test_times_are_of_the_clusters_zone_unless_they_say_otherwise(tmp_path: Path) -> None:
    start = {"Start": "2026-10-04T12:00:00", "End": "2026-10-04T14:00:00+0300"}
    nights = saved(tmp_path, line(**start), time_zone="Europe/Berlin")
    assert nights.rows("runs", "started_at, ended_at") == [(at("04T10:00"), at("04T11:00"))]
    seconds = str(int(datetime(2026, 10, 4, 10, tzinfo=UTC).timestamp()))
    nights = saved(tmp_path, line(Start=seconds), time_zone="America/New_York")
    assert nights.rows("runs", "started_at") == [(at("04T10:00"),)]


def test_a_job_that_waits_or_never_began_is_nowhere(tmp_path: Path) -> None:
    never = {"Start": "Unknown", "End": "Unknown", "NodeList": "None assigned", "AllocTRES": ""}
    gone = {**never, "End": "2026-10-04T14:00:00", "State": "CANCELLED by 7", "DBIndex": "2"}
    nights = saved(tmp_path, line(**never, State="PENDING"), line(**gone, JobIDRaw="18"))
    assert nights.rows("runs", "status, started_at") == [("cancelled", None), ("queued", None)]
    assert nights.rows("run_places") == []


def test_a_running_job_far_past_its_limit_ended_at_it(tmp_path: Path) -> None:
    runs = {"State": "RUNNING", "End": "Unknown", "TimelimitRaw": "120"}
    nights = saved(tmp_path, line(**runs, ElapsedRaw=str(26 * 3600)))
    assert nights.rows("runs", "status, ended_at") == [("lost", at("04T14:00"))]
    nights = saved(tmp_path, line(**runs, ElapsedRaw=str(25 * 3600)))
    assert nights.rows("runs", "status, ended_at, last_seen_at") == [
        ("running", None, at("05T13:00"))
    ]


def test_the_file_whose_name_comes_last_counts(tmp_path: Path) -> None:
    saved(tmp_path, line(State="RUNNING", End="Unknown"), name="2026-10-04.txt")
    (tmp_path / "saved" / "2026-10-05.txt.gz").write_bytes(gzip.compress(output(line()).encode()))
    nights, source = Nights(tmp_path, "slurm"), Slurm(root=str(tmp_path / "saved"))
    assert nights.night(source, AT) == 2
    assert nights.rows("runs", "status") == [("succeeded",)]
    assert nights.night(source, AT + HOUR) == 0


def test_names_may_hold_anything_but_the_separator(tmp_path: Path) -> None:
    root = tmp_path / "saved"
    root.mkdir()
    text = output(
        line("\x1f", JobName="a|b", Comment="two\nlines, team=nlp"),
        line("\x1f", DBIndex="2"),
        separator="\x1f",
    )
    (root / "2026-10-05.txt").write_text(text, encoding="utf-8")
    nights = Nights(tmp_path, "slurm")
    nights.night(Slurm(root=str(root)), AT)
    assert nights.rows("runs", "run_name, team_raw") == [("a|b", "nlp"), ("train", "vision")]


def test_command_lines_are_not_kept(tmp_path: Path) -> None:
    """They hold secrets, and a saved output may have them."""
    root = tmp_path / "saved"
    root.mkdir()
    header, row = "|".join([*NAMES, "SubmitLine"]), f"{line()}|sbatch --token=canary-3f9c"
    (root / "2026-10-05.txt").write_text(f"{header}\n{row}\n", encoding="utf-8")
    nights = Nights(tmp_path, "slurm")
    assert nights.night(Slurm(root=str(root)), AT) == 1
    assert "vision" in nights.text()
    assert "canary-3f9c" not in nights.text()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "it is empty"),
        ("JobIDRaw|User\n17|ann\n", "the header lacks DBIndex, Account"),
        (output(line(JobName="a|b")), "a line has 24 fields, its header 23"),
        (output(line())[:-20], "the last line breaks off"),
        (output(line(JobIDRaw="x")), "a line is no job"),
        (output(line(State="")), "a line is no job"),
        (output(line(Start="Ystday 12:00")), "is no time"),
        (output(line(NodeList="gpu[1-2")), "is no list of nodes"),
        (output(line(), line(Cluster="other", DBIndex="2")), "jobs of two clusters, ml and other"),
    ],
)
def test_a_bad_file_is_named_and_stops_itself_alone(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "2026-10-04.txt").write_text(text, encoding="utf-8")
    (tmp_path / "2026-10-05.txt").write_text(output(line()), encoding="utf-8")
    deliveries = Slurm(root=str(tmp_path)).deliveries_at(Nights(tmp_path, "slurm"), AT)
    assert next(deliveries).unit == "2026-10-05.txt"
    with pytest.raises(SourceError, match=what) as error:
        next(deliveries)
    assert "2026-10-04.txt" in error.value.__notes__[0]
    assert error.value.__notes__[1].startswith("fix: ")


def test_jobs_of_other_clusters_are_left_out_where_one_is_named(tmp_path: Path) -> None:
    nights = saved(tmp_path, line(), line(Cluster="other", DBIndex="2"), cluster="ml")
    assert len(nights.rows("runs")) == 1


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"time_zone": "Berlin"}, 'time_zone "Berlin" is not known'),
        ({"overlap_days": 0}, "days are 1 or more"),
        ({"root": "x", "command": ("ssh",)}, "give one of them"),
        ({"root": "/nowhere"}, "no saved outputs"),
        ({"command": ("no-such-command",)}, "no-such-command cannot be run"),
        ({"command": ("sh", "-c", "echo slurmdbd is away >&2; exit 1")}, "slurmdbd is away"),
        ({"command": ("sh", "-c", "sleep 5"), "timeout_seconds": 1}, "takes more than 1 s"),
    ],
)
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        Nights(tmp_path, "slurm").night(Slurm(**settings), AT)


def test_files_are_named_by_day(tmp_path: Path) -> None:
    (tmp_path / "jobs.txt").write_text(output(line()), encoding="utf-8")
    with pytest.raises(SourceError, match="does not begin with a day"):
        Nights(tmp_path, "slurm").night(Slurm(root=str(tmp_path)), AT)


def job(number: int, nodes: str, start: str, end: str) -> str:
    """Return a job's line; its times are of October."""
    times = {"Start": f"2026-10-{start}", "End": f"2026-10-{end}"}
    return line(JobIDRaw=str(number), DBIndex=str(number), NodeList=nodes, **times)


def free(nights: Nights) -> list[tuple[str, int]]:
    """Return the nodes that were free, and on which day of October."""
    return [(node, day) for node, day in nights.rows("slurm__free_nodes", "node, day(charge_date)")]


def test_a_node_is_free_on_the_days_between_its_jobs(tmp_path: Path) -> None:
    nights = saved(
        tmp_path,
        job(1, "gpu[1-2]", "01T10:00:00", "02T00:00:00"),  # ends as the second begins
        job(2, "i-0123456789abcdef0", "01T10:00:00", "03T00:00:01"),
        job(3, "gpu1", "04T10:00:00", "04T11:00:00"),
        job(4, "i-0123456789abcdef0", "05T10:00:00", "05T11:00:00"),
    )
    assert free(nights) == [("gpu1", 2), ("gpu1", 3), ("i-0123456789abcdef0", 4)]
    assert nights.rows("slurm__free_nodes", "distinct instance_id") == [
        ("i-0123456789abcdef0",),
        (None,),
    ]


def test_a_day_of_which_no_output_tells_is_not_known_to_be_free(tmp_path: Path) -> None:
    """A job that ended on the last day tells nothing of the days that it ran through."""
    saved(tmp_path, job(1, "gpu1", "01T10:00:00", "01T11:00:00"), name="2026-10-01.txt")
    later = (
        job(2, "gpu1", "05T10:00:00", "05T11:00:00"),
        job(3, "gpu2", "01T09:00:00", "05T11:00:00"),
    )
    assert free(saved(tmp_path, *later)) == []
    between = (
        job(4, "gpu3", "02T10:00:00", "02T11:00:00"),
        job(5, "gpu3", "03T10:00:00", "03T11:00:00"),
    )
    saved(tmp_path, *between, name="2026-10-03.txt")
    nights = Nights(tmp_path, "slurm")
    nights.night(Slurm(root=str(tmp_path / "saved")), AT)
    assert free(nights) == [("gpu1", 2), ("gpu1", 3)]
    through = job(6, "gpu2", "01T09:00:00", "05T10:00:00")
    saved(tmp_path, through, name="2026-10-04-evening.txt")  # told again on the day after
    assert free(saved(tmp_path, *later, through)) == [("gpu1", 2), ("gpu1", 3), ("gpu1", 4)]


def test_a_node_without_work_for_more_than_a_month_may_have_left(tmp_path: Path) -> None:
    first = line(DBIndex="1", Start="2026-08-01T10:00:00", End="2026-08-01T11:00:00")
    assert free(saved(tmp_path, first, job(2, "gpu01", "04T10:00:00", "04T11:00:00"))) == []


def test_where_sacct_is_run_every_day_since_the_first_job_is_read(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = Slurm(command=("sh", "-c", f"cat {told}"))
    nights = Nights(tmp_path, "slurm")
    first = job(1, "gpu1", "01T10:00:00", "01T11:00:00")
    told.write_text(output(first), encoding="utf-8")
    nights.night(source, AT)
    assert free(nights) == []
    told.write_text(output(first, job(2, "gpu1", "07T01:00:00", "07T02:00:00")), encoding="utf-8")
    nights.night(source, AT + timedelta(days=3))
    assert free(nights) == [("gpu1", day) for day in range(2, 7)]


@pytest.fixture
def cluster(tmp_path: Path) -> tuple[Path, Slurm]:
    """Return what sacct prints, and a source that runs it; it fails where there is nothing."""
    told = tmp_path / "told"
    return told, Slurm(command=("sh", "-c", f"cat {told}"), rescan_every_days=7)


def test_a_comment_that_was_mended_late_is_found(
    cluster: tuple[Path, Slurm], tmp_path: Path
) -> None:
    """Whenever sacct is asked for a time in which the job ran."""
    told, source = cluster
    nights = Nights(tmp_path, "slurm")
    told.write_text(output(line()), encoding="utf-8")
    assert nights.night(source, AT) == 1
    told.write_text(output(line(Comment="mlflow_run_id=r1")), encoding="utf-8")
    assert nights.night(source, AT + timedelta(days=8)) == 1
    assert nights.night(source, AT + timedelta(days=9)) == 0
    assert nights.rows("slurm__run_tags", "tags['mlflow_run_id']") == [("r1",)]


def test_a_running_job_that_sacct_no_longer_tells_is_lost_where_it_was_last_seen(
    cluster: tuple[Path, Slurm], tmp_path: Path
) -> None:
    told, source = cluster
    nights = Nights(tmp_path, "slurm")
    running = {"State": "RUNNING", "End": "Unknown", "TimelimitRaw": "", "ElapsedRaw": "50400"}
    told.write_text(output(line(**running)), encoding="utf-8")
    nights.night(source, AT)
    seen = at("05T02:00:00")
    assert nights.rows("slurm__runs", "status, ended_at, last_seen_at") == [("running", None, seen)]
    other = line(JobIDRaw="18", DBIndex="2", Start="2026-10-06T00:00:00", End="2026-10-06T01:00:00")
    told.write_text(output(other), encoding="utf-8")
    nights.night(source, AT + timedelta(days=2))
    found = nights.rows("slurm__runs", "native_id, status, ended_at")
    assert found == [("17", "lost", seen), ("18", "succeeded", at("06T01:00:00"))]


@pytest.mark.parametrize("what", ["half", "none", "failed"])
def test_what_sacct_did_not_tell_whole_is_read_by_the_next_night(
    cluster: tuple[Path, Slurm], tmp_path: Path, what: str
) -> None:
    told, source = cluster
    nights = Nights(tmp_path, "slurm")
    told.write_text(output(line()), encoding="utf-8")
    nights.night(source, AT)
    requeued = {"State": "REQUEUED", "End": "2026-10-05T04:00:00", "JobIDRaw": "18"}
    whole = output(line(), line(**requeued, DBIndex="2"), line(JobIDRaw="18", DBIndex="3"))
    if what == "failed":
        told.unlink()
    else:
        told.write_text(whole[:-60] if what == "half" else "", encoding="utf-8")
    with pytest.raises(SourceError):
        nights.night(source, AT + timedelta(days=1))
    assert [row[0] for row in nights.rows("slurm__runs", "native_id")] == ["17"]
    told.write_text(whole, encoding="utf-8")
    assert nights.night(source, AT + timedelta(days=2)) == 2
    tries = [("17", 1), ("18", 1), ("18", 2)]
    assert nights.rows("slurm__runs", "native_id, attempt") == tries


def test_a_node_that_sinfo_lists_is_free_without_any_later_job(tmp_path: Path) -> None:
    told, listed = tmp_path / "told", tmp_path / "listed"
    told.write_text(output(job(1, "gpu1", "01T10:00:00", "01T11:00:00")), encoding="utf-8")
    script = f'case "$0 $*" in *sinfo*) cat {listed};; *) cat {told};; esac'
    source = Slurm(command=("sh", "-c", script), nodes=True, cluster="ml")
    nights = Nights(tmp_path, "slurm")
    listed.write_text("gpu1|idle\ngpu1|idle\ngpu2|down*\n", encoding="utf-8")
    assert nights.night(source, AT) == 1 + 2
    # on the day of the night itself a job may begin yet
    assert free(nights) == [("gpu1", 2), ("gpu1", 3), ("gpu1", 4)]
    assert nights.night(source, AT + timedelta(days=1)) == 2
    assert free(nights)[-2:] == [("gpu1", 5), ("gpu2", 5)]
    listed.write_text("gpu1|idle\n", encoding="utf-8")
    told.write_text(output(job(2, "gpu1", "06T10:00:00", "06T11:00:00")), encoding="utf-8")
    nights.night(source, AT + timedelta(days=3))
    assert [day for node, day in free(nights) if node == "gpu1"] == [2, 3, 4, 5, 7]
    assert [day for node, day in free(nights) if node == "gpu2"] == [5, 6]


def test_saved_lists_of_nodes_count_on_days_of_which_sacct_tells(tmp_path: Path) -> None:
    folder = tmp_path / "saved" / "nodes"
    folder.mkdir(parents=True)
    for day in (3, 4, 6):
        (folder / f"2026-10-0{day}.txt").write_text("gpu1\n", encoding="utf-8")
    first = job(1, "gpu9", "03T10:00:00", "03T11:00:00")
    second = job(2, "gpu9", "04T10:00:00", "04T11:00:00")
    nights = saved(tmp_path, first, second, name="2026-10-04.txt")
    assert free(nights) == [("gpu1", 3), ("gpu1", 4)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("NODELIST STATE\n", "is no node"),
        ("", "lists no node"),
        ("gpu[1-4]|idle\n", "is no node"),
    ],
)
def test_what_is_no_list_of_nodes_is_told(tmp_path: Path, text: str, what: str) -> None:
    folder = tmp_path / "saved" / "nodes"
    folder.mkdir(parents=True)
    (folder / "2026-10-03.txt").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=what):
        saved(tmp_path, line())
    (folder / "2026-10-03.txt").rename(folder / "of-october.txt")
    with pytest.raises(SourceError, match="cannot be read"):
        saved(tmp_path, line())
