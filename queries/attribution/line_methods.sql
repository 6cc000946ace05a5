-- One row is about a group of bill lines and the method by which its cost is attributed.
--
-- Exactly one method takes a group, the first that has what it needs:
--   by_kind       lines that nobody's work caused: tax, credits, support, control planes,
--                 purchases and unused commitments keep their kind as member
--   machine_share machines that are watched in that hour: `machine_shares`
--   managed_job   jobs of a managed service that a run names as its own
--   reads         transfers between regions that runs read across: `read_shares`
--   stored_bytes  containers with an inventory: storage, requests and other transfers
--   owner         everything else: rules, tags, sub-account; else unattributed
-- A method takes a group only if its shares are there and run to 1, so no join can lose cost.
--
-- grain:     one row per line group
-- step:      charge_date
-- conserves: effective_cost, billed_cost, list_cost of attribution.line_groups by charge_date, source, billing_currency
-- owner:     ml-platform

with

machines as (
    select distinct
        charge_date,
        instance_id,
        slot
    from attribution.machine_shares
),

jobs as (
    select distinct
        charge_date,
        cloud_job_arn
    from attribution.run_days
    where cloud_job_arn is not null
),

reads as (
    select distinct
        charge_date,
        from_region,
        to_region,
        scope
    from attribution.read_shares
),

containers as (
    select distinct
        charge_date,
        container
    from attribution.stored_shares
)

select
    line_groups.*,
    case when line_groups.slot is not null then lower(line_groups.resource_id) end as instance_id,
    containers.container,
    reads.scope,
    case
        when
            line_groups.x_line_class in (
                'tax', 'credit', 'support', 'control_plane', 'purchase', 'commitment_unused'
            )
            then 'by_kind'
        when machines.slot is not null then 'machine_share'
        when jobs.cloud_job_arn is not null then 'managed_job'
        when reads.scope is not null then 'reads'
        when containers.container is not null then 'stored_bytes'
        else 'owner'
    end as method
from attribution.line_groups
left join machines
    on
        line_groups.charge_date = machines.charge_date
        and line_groups.slot = machines.slot
        and lower(line_groups.resource_id) = machines.instance_id
left join jobs
    on
        line_groups.x_line_class = 'managed_job'
        and line_groups.charge_date = jobs.charge_date
        and line_groups.resource_id = jobs.cloud_job_arn
left join reads
    on
        line_groups.x_line_class = 'transfer'
        and line_groups.charge_date = reads.charge_date
        and line_groups.x_from_region = reads.from_region
        and line_groups.x_to_region = reads.to_region
        and coalesce(last_part(line_groups.resource_id), '') = reads.scope
left join containers
    on
        line_groups.x_line_class in ('object_storage', 'object_requests', 'volume', 'transfer')
        and line_groups.charge_date = containers.charge_date
        and last_part(line_groups.resource_id) = containers.container
