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
-- grain: one row per line group
-- key:   line_no
-- step:  charge_date
-- owner: ml-platform

with

lines as (
    select
        line_no,
        charge_date,
        slot,
        resource_id,
        x_line_class,
        x_from_region,
        x_to_region,
        case when slot is not null then lower(resource_id) end as instance_id,
        case
            when x_line_class in ('object_storage', 'object_requests', 'volume', 'transfer')
                then last_part(coalesce(resource_id, ''))
        end as container
    from attribution.line_groups
),

watched_hours as (
    select
        charge_date,
        instance_id,
        slot,
        machine_hour_no
    from attribution.machine_hours
    semi join attribution.machine_shares using (machine_hour_no)
),

jobs as (
    select distinct
        charge_date,
        cloud_job_arn as resource_id,
        'managed_job' as x_line_class
    from attribution.run_days
    where cloud_job_arn is not null
),

reads as (
    select distinct
        charge_date,
        from_region as x_from_region,
        to_region as x_to_region,
        scope as container,
        'transfer' as x_line_class
    from attribution.read_shares
),

containers as (
    select distinct
        charge_date,
        container
    from attribution.stored_shares
)

select
    line_no,
    machine_hour_no,  -- of `machine_share`
    container,  -- of `stored_bytes` and `reads`, where the line names one
    case
        when
            x_line_class in ('tax', 'credit', 'support', 'control_plane', 'purchase', 'commitment_unused')
            then 'by_kind'
        when machine_hour_no is not null then 'machine_share'
        when jobs.resource_id is not null then 'managed_job'
        when reads.container is not null then 'reads'
        when containers.container is not null then 'stored_bytes'
        else 'owner'
    end as method
from lines
left join watched_hours using (charge_date, instance_id, slot)
left join jobs using (charge_date, resource_id, x_line_class)
left join reads using (charge_date, x_from_region, x_to_region, container, x_line_class)
left join containers using (charge_date, container)
