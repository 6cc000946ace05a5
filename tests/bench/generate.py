"""Makes Cost and Usage Report 2.0-like Parquet of any size, the same for the same arguments.

The mix follows a large ML account: three fifths S3 requests and transfers, then node-hours
(covered by a Savings Plan with their negations, on demand, spot), volumes, snapshots, managed jobs,
fees, tax and credits; a third of the resources carry no tags.
"""

from __future__ import annotations

import json
import shutil
from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST_MONTH = "2026-10"
LINES_PER_NODE = 20_000
PODS_PER_NODE_HOUR = 5
RUN_HOURS = 7
"""Hours that a pod lives, and its run with it."""
_TEXTS: Mapping[str, str] = {
    "identity_line_item_id": "md5(i::varchar) || right(md5((i + 7)::varchar), 20)",
    "identity_time_interval": "strftime(used_at, '%xT%H/') || strftime(used_at, '%xT%H:59Z')",
    "bill_invoice_id": "'2026100017'",
    "bill_invoicing_entity": "'Amazon Web Services, Inc.'",
    "bill_billing_entity": "'AWS'",
    "bill_bill_type": "'Anniversary'",
    "bill_payer_account_id": "'000123456789'",
    "bill_payer_account_name": "'acme'",
    "line_item_usage_account_id": "lpad((100000000000 + o % 40)::varchar, 12, '0')",
    "line_item_usage_account_name": "'acme-' || (o % 40)",
    "line_item_legal_entity": "'Amazon Web Services, Inc.'",
    "line_item_line_item_type": """case kind when 'covered' then 'SavingsPlanCoveredUsage'
        when 'negation' then 'SavingsPlanNegation' when 'tax' then 'Tax'
        when 'credit' then 'Credit' when 'fee' then 'SavingsPlanRecurringFee' else 'Usage' end""",
    "line_item_product_code": """case when kind in ('s3', 'storage') then 'AmazonS3'
        when kind = 'job' then 'AmazonSageMaker' when kind = 'fee' then 'ComputeSavingsPlans'
        else 'AmazonEC2' end""",
    "line_item_usage_type": """case kind when 's3' then
            ['Requests-Tier1', 'Requests-Tier2', 'USE1-EUW1-AWS-Out-Bytes',
             'DataTransfer-Out-Bytes', 'DataTransfer-Regional-Bytes'][1 + i % 5]
        when 'storage' then 'TimedStorage-ByteHrs' when 'volume' then 'EBS:VolumeUsage.gp3'
        when 'snapshot' then 'EBS:SnapshotUsage' when 'spot' then 'SpotUsage:' || instance
        when 'job' then 'USE1-Train:ml.p4d.24xlarge' when 'fee' then 'ComputeSP:1yrNoUpfront'
        else 'BoxUsage:' || instance end""",
    "line_item_operation": "case when kind = 's3' then 'GetObject' else 'RunInstances' end",
    "line_item_availability_zone": "'us-east-1' || ['a', 'b', 'c'][1 + h % 3]",
    "line_item_resource_id": "resource_id",
    "line_item_line_item_description": "'$' || (h % 100) || ' per unit of ' || kind",
    "line_item_currency_code": "'USD'",
    "pricing_unit": "case when kind = 's3' then 'Requests' when kind = 'storage' then 'GB-Mo' "
    "else 'Hrs' end",
    "pricing_term": "case when kind = 'spot' then 'Spot' else 'OnDemand' end",
    "pricing_currency": "'USD'",
    "pricing_rate_id": "(h % 900)::varchar",
    "product_instance_type": "case when kind in ('covered', 'negation', 'demand', 'spot') "
    "then instance end",
    "product_instance_family": "'GPU instance'",
    "product_product_family": "'Compute Instance'",
    "product_region_code": "'us-east-1'",
    "product_servicecode": "'AmazonEC2'",
    "product_sku": "'SKU' || (h % 900)",
    "product_from_region_code": "case when kind = 's3' and i % 5 = 2 then 'us-east-1' end",
    "product_to_region_code": "case when kind = 's3' and i % 5 = 2 then 'eu-west-1' end",
    "product_operation": "'RunInstances'",
    "savings_plan_savings_plan_a_r_n": "case when kind in ('covered', 'negation', 'fee') then "
    "'arn:aws:savingsplans::1:savingsplan/sp-' || (h % 6) end",
    "reservation_reservation_a_r_n": "null::varchar",
}
_NUMBERS: Mapping[str, str] = {
    "line_item_usage_amount": "case when kind = 's3' then (h % 9999)::double else 1.0 end",
    "line_item_unblended_cost": "case kind when 'negation' then -cost when 'fee' then 12.5 "
    "when 'tax' then 100.25 when 'credit' then -20.5 else cost end",
    "line_item_unblended_rate": "cost",
    "pricing_public_on_demand_cost": "cost",
    "pricing_public_on_demand_rate": "cost",
    "savings_plan_savings_plan_effective_cost": "case when kind = 'covered' then "
    "round(cost * 0.62, 10) else 0 end",
    "savings_plan_total_commitment_to_date": "case when kind = 'fee' then 12.5 else 0 end",
    "savings_plan_used_commitment": "case when kind = 'fee' then 11.0 else 0 end",
    "reservation_effective_cost": "0.0",
}


def months(count: int) -> list[str]:
    """Return some months up to the first one that a world has, oldest first."""
    last = date.fromisoformat(f"{FIRST_MONTH}-01")
    numbers = range(12 * last.year + last.month - count, 12 * last.year + last.month)
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]


def hours_of(month: str) -> int:
    """Return the hours of a month."""
    year, number = map(int, month.split("-"))
    return 24 * monthrange(year, number)[1]


def _first_life(month: str) -> int:
    """Return the number of a month's first pods, so that no two of a year bear one name."""
    year, number = map(int, month.split("-"))
    last_year, last = map(int, FIRST_MONTH.split("-"))
    return 1000 * (12 * (last_year - year) + last - number)


def write_bill(
    folder: Path, rows: int, *, parts: int = 4, month: str = FIRST_MONTH, salt: int = 0
) -> int:
    """Write one billing period of about `rows` lines as an export with its manifest.

    `salt` changes the costs of one day, the 15th: the period as redelivered, each one otherwise.
    Returns the rows.
    """
    nodes = max(rows // LINES_PER_NODE, 1)
    data = folder / "data" / f"BILLING_PERIOD={month}"
    data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute(
            "set preserve_insertion_order = false; set memory_limit = '4GB'; "
            "set enable_progress_bar = false"
        )
        names = [
            f"{data.relative_to(folder)}/ml-{part:05d}.snappy.parquet" for part in range(parts)
        ]
        for part, name in enumerate(names):
            start, stop = rows * part // parts, rows * (part + 1) // parts
            con.execute(
                f"copy ({_lines(start, stop, nodes, month, salt)}) to '{folder / name}' "
                "(format parquet, compression snappy)"
            )
    _write_manifest(folder, month, names)
    return rows


def redeliver(folder: Path, rows: int, *, month: str = FIRST_MONTH, salt: int) -> None:
    """Write a billing period again, `salt` telling how; the version before is kept beside it."""
    data = folder / "data" / f"BILLING_PERIOD={month}"
    before = folder / "superseded" / data.name
    shutil.rmtree(before, ignore_errors=True)
    before.parent.mkdir(exist_ok=True)
    data.rename(before)
    write_bill(folder, rows, month=month, salt=salt)


def write_csv(bill: Path, folder: Path) -> None:
    """Write a bill's Parquet parts again as parts of CSV.gz: maps as JSON, times as text."""
    for path in sorted(bill.glob("data/*/*.parquet")):
        target = folder / path.relative_to(bill).with_suffix("").with_suffix(".csv.gz")
        target.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as con:
            con.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
            columns = [
                _as_text(name, kind)
                for name, kind, *_ in con.execute(f"describe from '{path}'").fetchall()
            ]
            con.execute(
                f"copy (select {', '.join(columns)} from '{path}') to '{target}' "
                "(format csv, compression gzip)"
            )


def _as_text(column: str, kind: str) -> str:
    """Return a column as AWS writes it in CSV."""
    if kind.startswith("MAP"):
        return f"to_json({column})::varchar as {column}"
    if kind.startswith("TIMESTAMP"):
        return f"strftime({column}, '%xT%H:%M:%S.000Z') as {column}"
    return f"{column}::decimal(18, 10) as {column}" if kind == "DOUBLE" else column


def _lines(start: int, stop: int, nodes: int, month: str, salt: int) -> str:
    texts = ", ".join(f"{expression} as {column}" for column, expression in _TEXTS.items())
    numbers = ", ".join(
        f"({expression})::double as {column}" for column, expression in _NUMBERS.items()
    )
    return f"""
        with numbered as (
            select
                i,
                (hash(i) % 1000003)::bigint as h,
                (hash(i * 31) % {nodes})::bigint as node,
                timestamp '{month}-01'
                    + to_hours((hash(i * 17) % {hours_of(month)})::int) as used_at,
                case when i % 100 < 60 then 's3' when i % 100 < 68 then 'covered'
                    when i % 100 < 76 then 'negation' when i % 100 < 82 then 'demand'
                    when i % 100 < 88 then 'spot' when i % 100 < 92 then 'volume'
                    when i % 100 < 95 then 'snapshot' when i % 100 < 97 then 'storage'
                    when i % 100 < 98 then 'job' when i % 10000 < 9900 then 'storage'
                    when i % 10000 < 9960 then 'fee' when i % 10000 < 9980 then 'tax'
                    else 'credit' end as kind
            from range({start}, {stop}) as numbers (i)
        ), priced as (
            select
                *,
                ['p4d.24xlarge', 'g5.12xlarge', 'm5.4xlarge', 'p3.16xlarge'][1 + node % 4]
                    as instance,
                round((h % 9973) / 9973.0
                    * case when kind = 's3' then 0.01 else 30 end
                    * case when day(used_at) = 15 then {1 + salt / 100} else 1 end, 10) as cost
            from numbered
        ), named as (
            select
                *,
                case when kind in ('s3', 'storage') then 'bucket-' || (h % 300)
                when kind = 'volume' then 'vol-' || md5((h % 8000)::varchar)[:17]
                when kind = 'snapshot' then
                'arn:aws:ec2:us-east-1::snapshot/snap-' || md5((h % 9000)::varchar)[:17]
                when kind = 'job'
                then 'arn:aws:sagemaker:us-east-1:1:training-job/job-' || (h % 2000)
                when kind in ('tax', 'credit', 'fee') then ''
                else 'i-' || md5('node' || node)[:17] end as resource_id
            from priced
        ), owned as (
            select
                *,
                (hash(resource_id) % 1000003)::bigint as o
            from named
        )
        select
            {texts},
            timestamp '{month}-01' as bill_billing_period_start_date,
            last_day(date '{month}-01')::timestamp + interval 1 day as bill_billing_period_end_date,
            used_at as line_item_usage_start_date,
            used_at + interval 1 hour as line_item_usage_end_date,
            {numbers},
            map {{'product_name': 'Amazon product', 'region': 'us-east-1'}} as product,
            case when o % 100 < 35 then map {{}}::map(varchar, varchar) else map {{
                'user_team': 'team-' || (o % 20), 'user_user': 'user-' || (o % 400),
                'user_project': 'project-' || (o % 60)}} end as resource_tags
        from owned
    """


def _write_manifest(folder: Path, month: str, names: list[str]) -> None:
    manifest = folder / "metadata" / f"BILLING_PERIOD={month}" / "ml-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(
        json.dumps(
            {"exportArn": "arn:aws:bcm-data-exports:us-east-1:1:export/ml", "dataFiles": names}
        )
    )


def write_telemetry(folder: Path, rows: int, month: str = FIRST_MONTH) -> int:
    """Write `prometheus.samples` for the nodes of a bill of `rows`, a file a day: pod-hours."""
    for day in range(1, hours_of(month) // 24 + 1):
        _write_day(folder / f"samples-{month}-{day:02}.parquet", rows, month, day)
    return max(rows // LINES_PER_NODE, 1) * hours_of(month) * PODS_PER_NODE_HOUR


def _write_day(path: Path, rows: int, month: str, day: int) -> None:
    nodes = max(rows // LINES_PER_NODE, 1)
    query = f"""
        with node_hours as (
            select
                node,
                timestamp '{month}-{day:02}' + to_hours(hour::int) as began_at,
                hour + {24 * (day - 1)} as hour,
                'node-' || node as node_name
            from range({nodes}) as nodes (node)
            cross join range(24) as hours (hour)
        ), pod_hours as (
            select
                *,
                slot,
                node_name || '-' || slot || '-'
                    || ({_first_life(month)} + hour // {RUN_HOURS}) as pod
            from node_hours
            cross join range({PODS_PER_NODE_HOUR}) as slots (slot)
        ), pod_samples as (
            select
                unnest(['pod_running', 'pod_node', 'pod_labels', 'pod_request', 'pod_request',
                    'pod_request']) as query,
                unnest([null, null, null, 'cpu', 'memory', 'nvidia_com_gpu']) as resource,
                unnest([60.0, 1.0, 1.0, 8.0, 34359738368.0, 1.0]) as value,
                *
            from pod_hours
        )
        select
            query,
            'main' as cluster,
            'team-' || (node % 20) as namespace,
            pod,
            pod as pod_uid,
            node_name as node,
            resource,
            null::varchar as provider_id,
            case when query = 'pod_labels' then 'run-' || pod end as owner_run,
            case when query = 'pod_labels' then 'team-' || (node % 20) end as owner_team,
            began_at + interval 1 hour as sampled_at,
            value::varchar as value,
            60::bigint as scrape_seconds
        from pod_samples
        union all
        select
            'node_up',
            'main',
            null,
            null,
            null,
            node_name,
            null,
            'aws:///us-east-1a/i-' || md5('node' || node)[:17],
            null,
            null,
            began_at + interval 1 hour,
            '60.0',
            60
        from node_hours
    """
    _write(path, query)


def write_runs(path: Path, rows: int, month: str = FIRST_MONTH, salt: int = 0) -> int:
    """Write the `mlflow.runs` that ran in those pods; `salt` renames the team of one day's runs.

    Returns the runs.
    """
    nodes = max(rows // LINES_PER_NODE, 1)
    lives = -(-hours_of(month) // RUN_HOURS)
    first = _first_life(month)
    query = f"""
        select
            'run-node-' || node || '-' || slot || '-' || ({first} + life) as run_id,
            'train ' || life as run_name,
            (node % 40)::varchar as experiment_id,
            'user-' || (node * 7 + slot) % 400 as user_id,
            case when life % 9 = 0 then 'FAILED' else 'FINISHED' end as status,
            epoch_ms(timestamp '{month}-01') + life * {RUN_HOURS} * 3600000 as start_time,
            epoch_ms(timestamp '{month}-01') + (life + 1) * {RUN_HOURS} * 3600000 as end_time,
            'active' as lifecycle_stage,
            null::bigint as last_metric_time,
            map {{'team': 'team-' || (node % 20)
                || case when {salt} > 0 and life = 50 then '-moved-{salt}' else '' end,
                'project': 'project-' || (slot * 12 + node % 12)}} as tags
        from range({nodes}) as nodes (node)
        cross join range({PODS_PER_NODE_HOUR}) as slots (slot)
        cross join range({lives}) as lives (life)
    """
    _write(path, query)
    return nodes * PODS_PER_NODE_HOUR * lives


def _write(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
        con.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)")
