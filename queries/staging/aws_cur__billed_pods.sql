-- A pod of EKS or a task of ECS in an hour, as AWS's split cost allocation data tell it.
--
-- AWS adds lines for each pod and hour to the bill: one for cores, one for memory, one for accelerators
-- where the machine has any. What a pod was allotted is the larger of what it reserved and used, in
-- core-hours, GB-hours and hours of devices. The machine that it ran on is their parent. AWS also says what
-- share of the machine that is, and so what the machine has.
-- Their money is not read. The parent's own lines carry it, and are cut by what its pods held, by the same
-- weights that AWS uses, so that parts add up to what the machine cost.
--   a task of Fargate has no parent, and a line of its own: no row;
--   a line of a day is spread evenly over its hours; one of a month has no row.
--
-- Known drawbacks: how long a pod ran within an hour is not told, so it holds less for all of it; what is
-- neither cores nor memory counts as accelerators, because no source names that usage type.
--
-- Source: https://docs.aws.amazon.com/cur/latest/userguide/split-cost-allocation-data.html
--
-- grain:     one row per pod and hour
-- key:       charge_hour, instance_id, pod_uid
-- partition: charge_date
-- feeds:     billed_pods
-- owner:     ml-platform

with

split_lines as (
    select
        line_item_usage_start_date as started_at,
        line_item_usage_end_date as ended_at,
        split_part(split_line_item_parent_resource_id, '/', -1) as instance_id,
        line_item_resource_id as pod_arn,
        string_split(split_part(line_item_resource_id, ':', 6), '/') as names,
        case
            when line_item_usage_type like '%-vCPU-Hours' then 'cpu'
            when line_item_usage_type like '%-GB-Hours' then 'memory'
            else 'gpu'
        end as resource,
        cast(
            coalesce(
                split_line_item_split_usage,
                greatest(split_line_item_reserved_usage, split_line_item_actual_usage),
                0
            ) as double
        ) as held,
        cast(split_line_item_split_usage_ratio as double) as share,
        case
            when coalesce(cardinality(tags), 0) = 0 then resource_tags
            else map_concat(aws_bare_tags(tags), resource_tags)
        end as tags
    from raw.aws_cur__line_items
    where
        split_line_item_parent_resource_id <> ''
        and line_item_usage_end_date > line_item_usage_start_date
        and line_item_usage_end_date <= line_item_usage_start_date + interval 1 day
),

line_hours as (
    select
        *,
        unnest(range(date_trunc('hour', started_at), ended_at, interval 1 hour)) as charge_hour,
        len(range(date_trunc('hour', started_at), ended_at, interval 1 hour)) as hour_count
    from split_lines
),

pods as (
    select
        charge_hour,
        instance_id,
        pod_arn,
        any_value(names) as names,
        arg_max(tags, coalesce(cardinality(tags), 0)) as tags,
        sum(held / hour_count) filter (where resource = 'gpu') as gpu_units,
        sum(held / hour_count) filter (where resource = 'cpu') as cpu_cores,
        sum(held / hour_count) filter (where resource = 'memory') as memory_gib,
        -- the largest part tells the whole best
        arg_max(held / nullif(share, 0) / hour_count, share) filter (where resource = 'gpu') as gpu_capacity,
        arg_max(held / nullif(share, 0) / hour_count, share) filter (where resource = 'cpu') as cpu_capacity,
        arg_max(held / nullif(share, 0) / hour_count, share) filter (where resource = 'memory')
            as memory_gib_capacity
    from line_hours
    group by charge_hour, instance_id, pod_arn
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    -- pod/cluster/namespace/pod/uid, task/cluster/id, or task/id of old
    case when len(names) > 2 then names[2] end as cluster,
    case
        when names[1] = 'pod' then names[3]
        else coalesce(
            aws_tag(tags, 'awsecsservicename'),
            aws_tag(tags, 'awsecstaskdefinitionfamily'),
            aws_tag(tags, 'awsbatchjobqueue')
        )
    end as namespace,
    case when names[1] = 'pod' then names[4] else names[len(names)] end as pod,
    case when names[1] = 'pod' then coalesce(names[5], pod_arn) else pod_arn end as pod_uid,
    aws_tag(tags, 'awseksnode') as node,
    instance_id,
    tags,
    cast(coalesce(gpu_units, 0) as decimal(18, 6)) as gpu_units,
    cast(coalesce(cpu_cores, 0) as decimal(18, 6)) as cpu_cores,
    cast(coalesce(memory_gib, 0) as decimal(18, 6)) as memory_gib,
    cast(gpu_capacity as decimal(18, 6)) as gpu_capacity,
    cast(cpu_capacity as decimal(18, 6)) as cpu_capacity,
    cast(memory_gib_capacity as decimal(18, 6)) as memory_gib_capacity
from pods
