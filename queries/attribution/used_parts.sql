-- One row is about a user's part of what a volume, snapshot, transfer or NAT gateway costs on a day.
--
-- Volumes and snapshots are cut by `volume_users`, bytes that the network's own logs know by `flow_users`.
--
-- grain: one row per line group, kind of cost, run, pod, machine that nobody held, and dataset
-- step:  charge_date
-- owner: ml-platform

with

users as (
    select
        charge_date,
        kind_no,
        cost_kind,
        run_no,
        pod_no,
        null as dataset,
        null as owner_user,
        null as owner_team,
        null as owner_project,
        share_from,
        share_to
    from attribution.volume_users
    union all
    select
        charge_date,
        kind_no,
        'direct' as cost_kind,
        run_no,
        pod_no,
        dataset,
        owner_user,
        owner_team,
        owner_project,
        share_from,
        share_to
    from attribution.flow_users
)

select
    line_groups.line_no,
    line_methods.method,
    users.cost_kind,
    users.run_no,
    users.pod_no,
    users.dataset,  -- '(unattributed egress)', or null
    users.owner_user,  -- by the tags of a machine that nobody held
    users.owner_team,
    users.owner_project,
    cut(line_groups.effective_cost, share_from, share_to) as effective_cost,
    cut(line_groups.billed_cost, share_from, share_to) as billed_cost,
    cut(line_groups.list_cost, share_from, share_to) as list_cost
from attribution.line_groups
inner join attribution.line_methods using (line_no)
inner join users
    on line_groups.charge_date = users.charge_date and line_groups.kind_no = users.kind_no
where line_methods.method in ('pod_claim', 'attached_machine', 'snapshot_volume', 'flow_log')
