-- GPU machines of a cluster that stand there for hours without any pod on their GPUs.
--
-- A machine is free in an hour that telemetry saw whole and in which no pod held a GPU of it. The
-- waste is what attribution called idle of the machine, as far as it falls into its free hours.
-- It must still be up on the newest day. What telemetry does not know is not free.
--
-- fix:   let the pool shrink sooner or to nothing, or give the machine back
-- param: min_hours_per_day = 4  -- free hours, on an average day
-- param: window_days = 7        -- days looked at
-- param: min_waste = 25.0       -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

holders as (
    select distinct
        charge_hour,
        cluster,
        node
    from staging.pod_hours
    cross join newest
    where gpu_units > 0 and charge_date > newest.as_of - $window_days
),

node_days as (
    select
        lower(node_hours.instance_id) as instance_id,
        node_hours.charge_date,
        min(node_hours.cluster) as cluster,
        min(node_hours.node) as node,
        sum(node_hours.up_seconds) as up_seconds,
        coalesce(
            sum(node_hours.up_seconds) filter (where holders.node is null and node_hours.up_seconds = 3600), 0
        ) as free_seconds
    from staging.node_hours
    cross join newest
    left join holders
        on
            node_hours.charge_hour = holders.charge_hour
            and node_hours.cluster is not distinct from holders.cluster
            and node_hours.node = holders.node
    where
        node_hours.gpu_capacity > 0
        and node_hours.up_seconds > 0
        and node_hours.instance_id is not null
        and node_hours.charge_date > newest.as_of - $window_days
        and node_hours.charge_date <= newest.as_of
    group by lower(node_hours.instance_id), node_hours.charge_date
),

machines as (
    select
        node_days.instance_id,
        machine_days.billing_currency,
        min(node_days.cluster) as cluster,
        min(node_days.node) as node,
        min(machine_days.region_id) as region_id,
        min(machine_days.instance_type) as instance_type,
        max(machine_days.gpu_count) as gpu_count,
        min(node_days.charge_date) filter (where node_days.free_seconds > 0) as since,
        max(newest.as_of) - min(node_days.charge_date) + 1 as day_count,
        sum(node_days.free_seconds) as free_seconds,
        max(node_days.charge_date) = max(newest.as_of) as is_up,
        sum(
            least(
                machine_days.idle_cost,
                scaled(machine_days.effective_cost, node_days.free_seconds, node_days.up_seconds)
            )
        ) as waste
    from node_days
    inner join attribution.machine_days using (charge_date, instance_id)
    cross join newest
    where machine_days.idle_cost > 0
    group by node_days.instance_id, machine_days.billing_currency
),

-- who can give a machine back is whose tag it bears, not who used it last
owners as (
    select
        lower(postings.resource_id) as instance_id,
        min(bill_sources.provider) as provider,
        min(postings.tag_team) as owner_team
    from attribution.postings
    inner join attribution.bill_sources using (source)
    where
        postings.x_line_class = 'instance'
        and postings.charge_date > bill_sources.as_of - $window_days
    group by lower(postings.resource_id)
),

findings as (
    select
        *,
        per_month(waste, day_count) as monthly_waste
    from machines
    left join owners using (instance_id)
    where is_up and free_seconds >= $min_hours_per_day * 3600 * day_count
)

select
    instance_id as resource_id,
    node as resource_name,
    provider,
    region_id,
    cast(null as varchar) as owner_user,
    owner_team,
    since,
    monthly_waste,
    billing_currency,
    'high' as confidence,
    'no pod on the ' || cast(gpu_count as integer) || ' GPUs of this ' || coalesce(instance_type, 'machine')
    || ' for ' || free_seconds // 3600 || ' h of the last ' || day_count || ' days, in ' || cluster as evidence,
    'machine ' || instance_id as conflict_key
from findings
where monthly_waste >= $min_waste
