"""Records that are odd but ordinary: attributed by a rule, and told by the night that publishes.

A run that died without a word, a machine that is on no bill and a name that nobody has are no
problems: the exit code stays 0. One line tells each kind, of the newest days only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.answers import visible
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.progress import Progress
    from queries.engines.duckdb import Connection

_LOST_RUNS = """
select
    source,
    count(distinct run_id) as run_count,
    arg_max(native_id, (coalesce(ended_at, started_at), native_id)) as example
from marts.runs
cross join marts.covered_days
where
    status = 'lost'
    and (coalesce(ended_at, started_at) >= newest_day - 13) is not false
group by source
order by source
"""
_REVERSED_RUNS = """
select
    runs.source,
    count(distinct run_links.run_id) as run_count,
    arg_max(run_links.run_id, (runs.started_at, run_links.run_id)) as example
from staging.runs
inner join attribution.run_links using (run_key)
where
    runs.ended_at < runs.started_at
    and (runs.started_at >= cast($newest_day as date) - 13) is not false
group by runs.source
order by runs.source
"""
_NEWEST_DAY = "select newest_day from marts.covered_days"
_NATIVE_ID = "select native_id from marts.runs where run_id = $run_id"
_UNKNOWN_NAMES = """
with names as (
    select
        user_id,
        sum(effective_cost) as cost,
        sum(run_count) as run_count,
        list(distinct source) as sources
    from marts.unknown_names
    cross join marts.covered_days
    where (last_date >= newest_day - 13) is not false
    group by user_id
)

select
    array_to_string(list_sort(list_distinct(flatten(list(sources)))), ', ') as sources,
    count(*) as name_count,
    arg_max(user_id, (cost, run_count, user_id)) as example
from names
having count(*) > 0
"""
# The last day of a bill is seldom whole, and bills do not end on one day: the three days before
# the newest that all bills have tell which nodes are on none.
_UNKNOWN_NODES = """
with

last_days as (
    select min(as_of) as last_day
    from attribution.bill_sources
    semi join attribution.recent_days on bill_sources.as_of = recent_days.charge_date
),

days as (
    select charge_date
    from attribution.recent_days
    cross join last_days
    where charge_date between last_day - 3 and last_day - 1
),

pods as (
    select distinct
        cluster,
        node,
        namespace,
        pod,
        pod_uid
    from staging.pod_hours
    where charge_date in (select days.charge_date from days) and node is not null
),

nodes as (
    select
        cluster,
        node,
        lower(node) as instance_id
    from pods
    union
    select
        cluster,
        node,
        lower(instance_id) as instance_id
    from staging.node_hours
    where charge_date in (select days.charge_date from days)
),

known_nodes as (
    select
        cluster,
        node
    from nodes
    where
        instance_id in (
            select machine_days.instance_id
            from attribution.machine_days
            where machine_days.charge_date in (select days.charge_date from days)
        )
)

select
    count(*) as pod_count,
    count(distinct (cluster, node)) as node_count,
    min((coalesce(cluster, ''), node)) as example
from pods
where not exists (
    select 1
    from known_nodes
    where known_nodes.node = pods.node and known_nodes.cluster is not distinct from pods.cluster
)
having count(*) > 0
"""


def tell_odd_records(progress: Progress, con: Connection, generation: Path) -> None:
    """Tell the odd records of a build that was just published.

    People and runs are named as everybody's view names them. No view shows nodes, so `con`, which
    is the build's, tells of them; pods, whose names may be people's, are only counted.
    """
    with open_generation(generation) as published:
        lines = [
            *_lost_runs(published),
            *_reversed_runs(published, con),
            *_unknown_names(published),
        ]
    for line in (*lines, *_unknown_nodes(con)):
        progress.say(f"note: {line}")


def _lost_runs(con: Connection) -> Iterator[str]:
    for source, count, example in con.execute(_LOST_RUNS).fetchall():
        are = "1 run is" if count == 1 else f"{count:,} runs are"
        yield (
            f'{visible(source)}: {are} lost, without a word of the end (such as "'
            f'{visible(example)}"): what shows no sign of life is over; end it in the tracker'
        )


def _reversed_runs(published: Connection, con: Connection) -> Iterator[str]:
    newest = published.execute(_NEWEST_DAY).fetchone()
    told = con.execute(_REVERSED_RUNS, {"newest_day": newest[0] if newest else None}).fetchall()
    for source, count, run_id in told:
        run = published.execute(_NATIVE_ID, {"run_id": run_id}).fetchone()
        ended = "1 run ended before it" if count == 1 else f"{count:,} runs ended before they"
        example = f' (such as "{visible(run[0])}")' if run else ""
        yield (
            f"{visible(source)}: {ended} began{example}: such a run lasts until its last sign of "
            "life, if that is later; set the clocks of the machines that log"
        )


def _unknown_names(con: Connection) -> Iterator[str]:
    for sources, count, example in con.execute(_UNKNOWN_NAMES).fetchall():
        names = "1 name belongs" if count == 1 else f"{count:,} names belong"
        yield (
            f'{visible(sources)}: {names} to nobody known (such as "{visible(example)}"): '
            "an alias mends each; `mlspend sql --named unknown_names` lists them"
        )


def _unknown_nodes(con: Connection) -> Iterator[str]:
    for pod_count, node_count, (cluster, node) in con.execute(_UNKNOWN_NODES).fetchall():
        pods = "1 pod" if pod_count == 1 else f"{pod_count:,} pods"
        nodes = "a node that is" if node_count == 1 else f"{node_count:,} nodes that are"
        place = f"{visible(node)} of cluster {visible(cluster)}" if cluster else visible(node)
        yield (
            f"telemetry: {pods} ran on {nodes} on no bill (such as {place}): what they held "
            "costs nothing; add the bill of the machine, or a rate card"
        )
