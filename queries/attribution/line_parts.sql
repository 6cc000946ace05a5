-- One row is about a part of a line group: what a holder, a job, a reader or whoever else caused of it.
--
-- All ways of cutting lines yield theirs here; lines that are posted whole have none. It is a table, so that
-- the engine knows how many there are: whatever postings are joined with is the smaller side then.
--
-- grain: one row per line group, cost_kind, method, run, pod, model served, dataset and version
-- step:  charge_date
-- owner: ml-platform

with

parts as (
    select
        line_no,
        cost_kind,
        'machine_share' as method,
        run_no,
        pod_no,
        served_no,
        gpu_us,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.machine_parts
    where cost_kind <> 'idle'
    union all by name
    select
        line_no,
        cluster,
        'idle' as cost_kind,
        'machine_share' as method,
        run_no,
        pod_no,
        served_no,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.idle_parts
    union all by name
    select
        line_no,
        'direct' as cost_kind,
        'managed_job' as method,
        run_no,
        gpu_us,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.job_parts
    union all by name
    select
        line_no,
        'direct' as cost_kind,
        method,
        run_no,
        stored_run_id,
        stored_rule_rank,
        dataset,
        dataset_version,
        owner_user,
        owner_team,
        owner_project,
        is_logged,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.data_parts
    union all by name
    select
        line_no,
        cost_kind,
        method,
        run_no,
        pod_no,
        dataset,
        owner_user,
        owner_team,
        owner_project,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.used_parts
    union all by name
    select
        line_no,
        'shared' as cost_kind,
        'cluster_share' as method,
        run_no,
        pod_no,
        served_no,
        effective_cost,
        billed_cost,
        list_cost
    from attribution.control_plane_parts
)

select
    line_no,
    cluster,  -- whose machines have it in common; null: the line's own
    cost_kind,
    method,
    run_no,
    pod_no,
    served_no,
    gpu_us,
    stored_run_id,  -- whose files are stored; it may be over for long
    stored_rule_rank,
    dataset,
    dataset_version,
    owner_user,  -- as the way of cutting names them
    owner_team,
    owner_project,
    is_logged,
    effective_cost,
    billed_cost,
    list_cost
from parts
