-- One row is about a group of bill lines and the method by which its cost is attributed.
--
-- Exactly one method takes a group, the first that has what it needs:
--   by_kind       lines that nobody's work caused: tax, credits, support, control planes,
--                 purchases and unused commitments keep their kind as member; fees of clusters
--                 that `control_plane_parts` cuts are posted as cluster_share
--   machine_share machines that are watched in that hour: `machine_shares`
--   managed_job   jobs of a managed service that a run names as its own
--   reads         transfers between regions that runs read across, as the store's logs tell: `read_shares`
--   flow_log      transfers and NAT gateways whose bytes the network's logs know: `flow_users`
--   reads         transfers between regions that runs read across, as trackers tell
--   stored_bytes  containers with an inventory: storage, requests and other transfers; of these the
--                 parts of runs that stored files there are posted as run_artefacts
--   pod_claim, attached_machine, snapshot_volume
--                 volumes and snapshots that somebody used: `volume_users`
--   owner         everything else: rules, tags, sub-account; else unattributed
-- A method takes a group only if its shares are there and run to 1, so no join can lose cost. A group with two
-- methods would be posted twice, which shows where `postings` are held against `line_sums`.
--
-- grain: one row per line group
-- step:  charge_date
-- owner: ml-platform

with

watched_hours as (
    select
        charge_date,
        machine_no,
        slot,
        machine_hour_no
    from attribution.machine_hours
    semi join attribution.machine_stints using (machine_hour_no)
),

jobs as (
    select distinct
        run_days.charge_date,
        line_kinds.kind_no,
        true as is_named
    from attribution.run_days
    inner join attribution.line_kinds on run_days.cloud_job_arn = line_kinds.resource_id
    where line_kinds.x_line_class = 'managed_job'
),

reads as (
    select
        read_shares.charge_date,
        line_kinds.kind_no,
        bool_or(read_shares.is_logged) as is_logged
    from attribution.read_shares
    inner join attribution.line_kinds
        on
            read_shares.from_region = line_kinds.x_from_region
            and read_shares.to_region = line_kinds.x_to_region
            and read_shares.scope = line_kinds.container
    where line_kinds.x_line_class = 'transfer'
    group by read_shares.charge_date, line_kinds.kind_no
),

flows as (
    select distinct
        charge_date,
        kind_no,
        true as is_known
    from attribution.flow_users
),

containers as (
    select distinct
        stored_shares.charge_date,
        line_kinds.kind_no,
        true as is_stored
    from attribution.stored_shares
    inner join attribution.line_kinds using (container)
    where stored_shares.storage_class = ''
),

volumes as (
    select
        charge_date,
        kind_no,
        min(told_by) as told_by
    from attribution.volume_users
    group by charge_date, kind_no
)

select
    line_groups.line_no,
    watched_hours.machine_hour_no,  -- of `machine_share`
    case
        when
            line_kinds.x_line_class in (
                'tax', 'credit', 'support', 'control_plane', 'purchase', 'commitment_unused'
            )
            then 'by_kind'
        when watched_hours.machine_hour_no is not null then 'machine_share'
        when jobs.is_named then 'managed_job'
        when reads.is_logged then 'reads'
        when flows.is_known then 'flow_log'
        when reads.kind_no is not null then 'reads'
        when containers.is_stored then 'stored_bytes'
        else coalesce(volumes.told_by, 'owner')
    end as method
from attribution.line_groups
inner join attribution.line_kinds using (kind_no)
left join watched_hours
    on
        line_groups.charge_date = watched_hours.charge_date
        and line_groups.slot = watched_hours.slot
        and line_kinds.machine_no = watched_hours.machine_no
left join jobs
    on line_groups.charge_date = jobs.charge_date and line_groups.kind_no = jobs.kind_no
left join reads
    on line_groups.charge_date = reads.charge_date and line_groups.kind_no = reads.kind_no
left join flows
    on line_groups.charge_date = flows.charge_date and line_groups.kind_no = flows.kind_no
left join containers
    on line_groups.charge_date = containers.charge_date and line_groups.kind_no = containers.kind_no
left join volumes
    on line_groups.charge_date = volumes.charge_date and line_groups.kind_no = volumes.kind_no
