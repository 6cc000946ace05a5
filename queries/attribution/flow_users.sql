-- One row is about who moved the bytes of a transfer or NAT line on a day, by logs of the network, and
-- their share of the line.
--
-- A line that names a machine is that machine's, one that names a gateway or nothing is shared among all
-- machines of the region, by the bytes that each moved (`machine_flows`). Of a machine's bytes of an
-- hour its holders of that hour have their parts, by what they held; where nobody held it, they are the
-- machine's, and its tags own them. What was billed and not logged is '(unattributed egress)'; where
-- more was logged than billed, shares run to 1. Lines of buckets are not looked at: the network does
-- not tell which bucket was read.
--
-- Known drawback: gateways of one region are not told apart.
--
-- grain: one row per day, kind of line, run, pod, machine that nobody held, and dataset
-- step:  charge_date
-- owner: ml-platform

with

kinds as (
    select
        kind_no,
        case when x_line_class = 'nat' then region_id else x_from_region end as from_region,
        case when x_line_class = 'nat' then 'nat' else x_to_region end as to_region,
        last_part(coalesce(resource_id, '')) as resource,
        case when last_part(resource_id) like 'i-%' then last_part(resource_id) else '' end as scope
    from attribution.line_kinds
    where
        x_line_class = 'nat' and last_part(resource_id) like 'nat-%'
        or x_line_class = 'transfer'
        and (
            regexp_matches(last_part(resource_id), '^(i|eni|nat)-')
            or resource_id is null and regexp_matches(service_name, 'Elastic Compute Cloud|Virtual Private Cloud')
        )
),

billed as (
    select distinct
        line_groups.charge_date,
        kinds.kind_no,
        kinds.from_region,
        kinds.to_region,
        kinds.resource,
        kinds.scope
    from attribution.line_groups
    inner join kinds using (kind_no)
),

billed_bytes as (
    select
        charge_date,
        from_region,
        to_region,
        billed.scope,
        cast(sum(billed_transfers.billed_bytes) as bigint) as billed_bytes
    from (
        select distinct
            charge_date,
            from_region,
            to_region,
            resource,
            scope
        from billed
    ) as billed
    inner join attribution.billed_transfers using (charge_date, from_region, to_region)
    where billed.resource = billed_transfers.scope
    group by charge_date, from_region, to_region, billed.scope
),

flow_slots as (
    select *
    from attribution.machine_slots
    semi join attribution.machine_flows using (charge_date, instance_id)
),

held as (
    select
        flow_slots.charge_date,
        flow_slots.instance_id,
        flow_slots.slot,
        machine_shares.run_no,
        machine_shares.pod_no,
        cast(sum(floor((machine_shares.share_to - machine_shares.share_from) * 1e9 + 0.5)) as bigint) as weight
    from attribution.machine_shares
    inner join attribution.machine_stints using (stint_no)
    inner join flow_slots using (machine_hour_no)
    where machine_shares.cost_kind = 'direct' and machine_shares.share_from < machine_shares.share_to
    group by all
),

held_upto as (
    select
        *,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by charge_date, instance_id, slot) as total_weight
    from held
    window up_to as (
        partition by charge_date, instance_id, slot order by run_no, pod_no
        rows between unbounded preceding and current row
    )
),

moved as (
    select
        flows.charge_date,
        flows.from_region,
        flows.to_region,
        flows.instance_id,
        held_upto.run_no,
        held_upto.pod_no,
        case when held_upto.weight is null then flows.instance_id else '' end as unheld_id,
        case
            when held_upto.weight is null then flows.byte_count
            else
                whole_upto(flows.byte_count, held_upto.upto_weight, held_upto.total_weight)
                - whole_upto(flows.byte_count, held_upto.upto_weight - held_upto.weight, held_upto.total_weight)
        end as byte_count
    from attribution.machine_flows as flows
    left join held_upto using (charge_date, instance_id, slot)
),

scoped as (
    select
        moved.*,
        moved.instance_id as scope
    from moved
    union all
    select
        moved.*,
        '' as scope
    from moved
),

users as (
    select
        charge_date,
        from_region,
        to_region,
        scope,
        run_no,
        pod_no,
        unheld_id,
        null as dataset,
        cast(sum(byte_count) as bigint) as byte_count
    from scoped
    group by charge_date, from_region, to_region, scope, run_no, pod_no, unheld_id
    having sum(byte_count) > 0
),

logged as (
    select
        charge_date,
        from_region,
        to_region,
        scope,
        cast(sum(byte_count) as bigint) as logged_bytes
    from users
    group by charge_date, from_region, to_region, scope
),

whole as (
    select *
    from users
    union all by name
    select
        logged.charge_date,
        logged.from_region,
        logged.to_region,
        logged.scope,
        '' as unheld_id,
        '(unattributed egress)' as dataset,
        billed_bytes.billed_bytes - logged.logged_bytes as byte_count
    from logged
    inner join billed_bytes using (charge_date, from_region, to_region, scope)
    where billed_bytes.billed_bytes > logged.logged_bytes
),

shares as (
    select
        *,
        sum(byte_count) over up_to as upto_bytes,
        sum(byte_count) over (partition by charge_date, from_region, to_region, scope) as total_bytes
    from whole
    window up_to as (
        partition by charge_date, from_region, to_region, scope order by dataset, run_no, pod_no, unheld_id
        rows between unbounded preceding and current row
    )
),

machine_tags as (
    select
        instance_id as unheld_id,
        min(tag_user) as tag_user,
        min(tag_team) as tag_team,
        min(tag_project) as tag_project
    from attribution.line_kinds
    where instance_id is not null
    group by instance_id
)

select
    billed.charge_date,
    billed.kind_no,
    billed.from_region,
    billed.to_region,
    billed.resource,  -- as last_part() writes it
    shares.run_no,
    shares.pod_no,
    shares.unheld_id,  -- a machine in hours in which nobody held it, or ''
    shares.dataset,  -- '(unattributed egress)', or null
    machine_tags.tag_user as owner_user,  -- of a machine that nobody held
    machine_tags.tag_team as owner_team,
    machine_tags.tag_project as owner_project,
    shares.byte_count,  -- of all lines that share them
    share_of(shares.upto_bytes - shares.byte_count, shares.total_bytes) as share_from,
    share_of(shares.upto_bytes, shares.total_bytes) as share_to
from billed
inner join shares using (charge_date, from_region, to_region, scope)
left join machine_tags using (unheld_id)
