-- One row is about bill lines that attribution cannot tell apart, added up.
--
-- Every line is read once, here; what follows works on a fifth of the rows. A machine's lines are
-- kept by the hour where the bill has hours, else by the day, which is slot 24: a longer charge
-- says nothing about who held the machine, and is owned, not shared.
--
-- Google's bill names the namespace that a part of a machine went to (GKE cost allocation), so
-- entries of the map of namespaces are looked up like a tag.
--
-- Rows have a number that the steps of one build know them by.
--
-- grain:     one row per day or hour, resource, kind of charge and set of owner tags
-- key:       line_no
-- step:      charge_date
-- conserves: effective_cost, billed_cost, list_cost of staging.cost_lines by charge_date, source, billing_currency
-- owner:     ml-platform

with

tag_rules as (
    select
        list(
            struct_pack(
                mark := '|' || rule_rank || '|',
                tag_key := coalesce(match_tag_key, 'k8s-namespace'),
                tag_value := coalesce(match_namespace, match_tag_value)
            )
        ) as wanted
    from attribution.rules
    where match_tag_key is not null or level = 'namespace'
),

groups as (
    select
        source,
        billing_period,
        charge_date,
        cast(
            case
                when x_line_class <> 'instance' or resource_id is null then null
                when charge_hour is not null then hour(charge_hour)
                when charge_period_end <= charge_period_start + interval 1 day then 24
            end as tinyint
        ) as slot,  -- machines: the hour of the day, 0 to 23; 24 is the day as a whole
        billing_currency,
        sub_account_id,
        service_name,
        region_id,
        resource_id,
        x_line_class,
        x_from_region,
        x_to_region,
        tag_of_user(tags) as tag_user,  -- as the tag names the person
        tag_of_team(tags) as tag_team,
        tag_of_project(tags) as tag_project,
        case
            when tag_rules.wanted is not null
                then
                    array_to_string(
                        list_transform(
                            list_filter(
                                tag_rules.wanted,
                                lambda rule: coalesce(tags[rule['tag_key']] glob rule['tag_value'], false)
                            ),
                            lambda rule: rule['mark']
                        ),
                        ''
                    )
        end as tag_marks,  -- marks of the ownership rules whose tag these lines have; null: no rule asks
        max(x_instance_type) as instance_type,
        max(x_gpu_count) as gpu_count,
        max(x_cpu_count) as cpu_count,
        max(x_memory_gib) as memory_gib,
        sum(
            case
                when effective_cost > 0 and consumed_unit in ('Hours', 'Hrs', 'hours', 'hrs', 'Hour', 'h')
                    then consumed_quantity
            end
        ) as used_hours,  -- of lines that cost: a negation repeats the hours it takes back
        bool_or(invoice_id is null) as is_provisional,
        count(*) as line_count,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost,
        sum(list_cost) as list_cost
    from staging.cost_lines
    cross join tag_rules
    group by all
)

select
    row_number() over () as line_no,
    *
from groups
