-- A line of a Google Cloud bill, from the detailed or the standard usage cost export.
--
-- `cost` is before credits. Credits that are a discount on the line itself (commitments, sustained
-- use, negotiated, free tier, a reseller's margin) are folded into it; any other, such as a
-- promotion, is a row of its own beside it, in the category Credit. So what is billed is cost and all
-- credits, once each.
--
--   billed_cost      cost + folded credits; on a credit's row the credit
--   effective_cost   the same: where discounts are prices (`consumption_model`) that is amortised, and
--                    a commitment's fee, less the credit FEE_UTILIZATION_OFFSET, is what went unused
--   list_cost        cost_at_list, else cost
--   contracted_cost  cost_at_effective_price_default, else cost
--
-- The invoice's month and the day of use are two things: late lines are billed a month later, and
-- invoice months run in Pacific time. A line whose adjustment reaches back is a correction.
--
-- What a line is (`x_line_class`) follows from its service and the words of its SKU, by
-- seeds.gcp_skus, once per pair. A GPU is a line of its own beside its machine's cores and memory, and
-- all three carry the machine's name, so that they add up to a machine. Machines are called by their
-- name, which is how Kubernetes knows them. Cores bill core-seconds; they are given as hours of the
-- machine, where the bill says how many cores it has.
--
-- `tags` holds the labels under their own keys (those of GKE's cost allocation too:
-- k8s-namespace, k8s-label/team), the tags under `tag/`, the project's labels under
-- `project-label/`, the system's under `system-label/`.
--
-- Flaws: fees of commitments of the older model (a credit per covered line) stay with the fee, a
-- purchase; the covered lines then cost too little. Machines of one name in two projects are one.
-- GPUs attached to a machine for part of an hour are counted from their seconds, rounded up.
--
-- grain:     one row per line, and one per credit that is not folded
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

usage_kinds as (
    select
        billed_kinds.service_description,
        billed_kinds.sku_description,
        arg_min(patterns.x_line_class, cast(patterns.position as integer)) as x_line_class,
        any_value(origins.region_id) as from_region,
        any_value(targets.region_id) as to_region
    from (
        select distinct
            coalesce(service_description, '') as service_description,
            coalesce(sku_description, '') as sku_description
        from raw.gcp_billing__line_items
    ) as billed_kinds
    left join seeds.gcp_skus as patterns
        on
            lower(billed_kinds.service_description) like patterns.service
            and lower(billed_kinds.sku_description) like patterns.sku
    left join seeds.gcp_regions as origins
        on regexp_extract(billed_kinds.sku_description, ' from (.+) to ', 1) = origins.place
    left join seeds.gcp_regions as targets
        on regexp_extract(billed_kinds.sku_description, ' to (.+)$', 1) = targets.place
    group by billed_kinds.service_description, billed_kinds.sku_description
),

label_sets as (
    select
        labels,
        tags,
        project_labels,
        system_labels,
        gcp_label_map(
            keyed_values(labels), keyed_values(tags), keyed_values(project_labels), keyed_values(system_labels)
        ) as label_map
    from (
        select distinct
            labels,
            tags,
            project_labels,
            system_labels
        from raw.gcp_billing__line_items
    ) as texts
),

classified_lines as (
    select
        line_items.*,
        label_sets.label_map,
        usage_kinds.from_region,
        usage_kinds.to_region,
        lower(line_items.service_description) as service,
        lower(line_items.sku_description) as sku,
        strptime(nullif(line_items.invoice_month, ''), '%Y%m') as invoice_start,
        coalesce(
            line_items.usage_start_time, strptime(nullif(line_items.invoice_month, ''), '%Y%m')
        ) as started_at,
        coalesce(gcp_credits(line_items.credits), []) as credit_list,
        label_map['system-label/compute.googleapis.com/machine_spec'] as machine_type,
        try_cast(label_map['system-label/compute.googleapis.com/cores'] as decimal(18, 6)) as core_count,
        try_cast(label_map['system-label/compute.googleapis.com/memory'] as decimal(18, 6)) as memory_mib,
        case
            when line_items.cost_type = 'tax' then 'tax'
            when line_items.cost_type = 'rounding_error' then 'credit'
            when contains(line_items.credits, 'FEE_UTILIZATION_OFFSET') then 'commitment_unused'
            when line_items.seller_name is not null and line_items.seller_name not like 'Google%' then 'saas'
            else coalesce(usage_kinds.x_line_class, 'other')
        end as line_class
    from raw.gcp_billing__line_items as line_items
    left join usage_kinds
        on
            coalesce(line_items.service_description, '') = usage_kinds.service_description
            and coalesce(line_items.sku_description, '') = usage_kinds.sku_description
    left join label_sets
        on
            line_items.labels is not distinct from label_sets.labels
            and line_items.tags is not distinct from label_sets.tags
            and line_items.project_labels is not distinct from label_sets.project_labels
            and line_items.system_labels is not distinct from label_sets.system_labels
),

-- 1 row per line, and per credit of its own
billed_rows as (
    select
        lines.*,
        null as credit,
        coalesce(lines.cost, 0) + coalesce(
            list_sum(
                list_transform(
                    list_filter(lines.credit_list, lambda one: is_gcp_discount(one['type'])),
                    lambda one: cast(one['amount'] as decimal(38, 12))
                )
            ),
            0
        ) as billed
    from classified_lines as lines
    union all
    select
        lines.*,
        coalesce(credits.credit['full_name'], credits.credit['name'], credits.credit['type'], 'Credit') as credit,
        coalesce(cast(credits.credit['amount'] as decimal(38, 12)), 0) as billed
    from classified_lines as lines
    cross join unnest(lines.credit_list) as credits (credit)
    where not is_gcp_discount(credits.credit['type'])
),

named_rows as (
    select
        *,
        case when credit is not null then 'credit' else line_class end as x_line_class,
        contains(sku, 'spot') or contains(sku, 'preemptible') as is_spot,
        contains(credits, 'COMMITTED_USAGE_DISCOUNT') or consumption_model_description ilike '%CUD%'
        or consumption_model_description ilike '%commit%' as is_committed,
        credit is null and line_class = 'instance' and (
            contains(sku, 'core') or contains(sku, 'cpu')
        ) as is_of_cores
    from billed_rows
)

select
    x_source as source,
    cast(date_trunc('month', coalesce(invoice_start, started_at)) as date) as billing_period,
    cast(started_at as date) as charge_date,
    case
        when
            usage_end_time = started_at + interval 1 hour
            and started_at = date_trunc('hour', started_at)
            then started_at
    end as charge_hour,
    started_at as charge_period_start,
    usage_end_time as charge_period_end,
    cast(billed as decimal(38, 12)) as billed_cost,
    cast(billed as decimal(38, 12)) as effective_cost,
    cast(if(credit is null, coalesce(cost_at_list, cost, 0), 0) as decimal(38, 12)) as list_cost,
    cast(
        if(credit is null, coalesce(cost_at_effective_price_default, cost, 0), 0) as decimal(38, 12)
    ) as contracted_cost,
    coalesce(currency, 'XXX') as billing_currency,  -- XXX: the file has no currency
    billing_account_id,
    cast(null as varchar) as billing_account_name,
    project_id as sub_account_id,
    project_name as sub_account_name,
    cast(null as varchar) as invoice_id,
    case
        when seller_name is null or seller_name like 'Google%' then 'Google Cloud'
        else seller_name
    end as service_provider_name,
    'Google Cloud' as host_provider_name,
    case
        when x_line_class in ('nat', 'transfer', 'load_balancer') then 'Networking'
        when x_line_class in ('volume', 'snapshot', 'object_storage', 'object_requests') then 'Storage'
        when x_line_class in ('instance', 'control_plane') then 'Compute'
        when regexp_matches(service, 'vertex|machine learning|ai platform') then 'AI and Machine Learning'
        when regexp_matches(service, 'compute engine|kubernetes|cloud run|functions') then 'Compute'
        when regexp_matches(service, 'sql|spanner|firestore|bigtable') then 'Databases'
        when regexp_matches(service, 'bigquery|dataflow|dataproc') then 'Analytics'
        when regexp_matches(service, 'networking') then 'Networking'
        when regexp_matches(service, 'logging|monitoring') then 'Management and Governance'
        else 'Other'
    end as service_category,
    coalesce(service_description, 'Google Cloud') as service_name,
    coalesce(location_region, location_location) as region_id,
    location_zone as availability_zone,
    case
        when x_line_class in ('instance', 'volume', 'snapshot', 'object_storage', 'object_requests')
            then split_part(coalesce(resource_name, resource_global_name), '/', -1)
        else coalesce(resource_global_name, resource_name)
    end as resource_id,
    resource_name,
    nullif(split_part(resource_global_name, '/', -2), '') as resource_type,
    case
        when credit is not null then 'Credit'
        when cost_type = 'tax' then 'Tax'
        when cost_type in ('adjustment', 'rounding_error') then 'Adjustment'
        when x_line_class in ('purchase', 'commitment_unused') then 'Purchase'
        else 'Usage'
    end as charge_category,
    case
        when adjustment_info_mode <> '' and started_at < invoice_start then 'Correction'
    end as charge_class,
    case
        when credit is not null or cost_type in ('tax', 'adjustment', 'rounding_error') then 'One-Time'
        when x_line_class in ('purchase', 'commitment_unused') then 'Recurring'
        else 'Usage-Based'
    end as charge_frequency,
    coalesce(credit, sku_description, adjustment_info_description) as charge_description,
    case
        when is_committed or x_line_class in ('purchase', 'commitment_unused')
            then coalesce(subscription_instance_id, consumption_model_id)
    end as commitment_discount_id,
    case
        when is_committed or x_line_class in ('purchase', 'commitment_unused')
            then 'Committed Use Discount'
    end as commitment_discount_type,
    case
        when x_line_class = 'commitment_unused' then 'Unused'
        when is_committed and credit is null then 'Used'
    end as commitment_discount_status,
    case
        when credit is not null or cost_type <> 'regular' or x_line_class in ('purchase', 'commitment_unused') then null
        when is_spot then 'Dynamic'
        when is_committed then 'Committed'
        else 'Standard'
    end as pricing_category,
    case
        when credit is not null then null
        when is_of_cores and usage_unit = 'seconds' and core_count > 0
            then cast(cast(usage_amount as double) / cast(core_count as double) / 3600 as decimal(38, 12))
        else usage_amount
    end as consumed_quantity,
    case
        when credit is not null then null
        when is_of_cores and usage_unit = 'seconds' and core_count > 0 then 'Hours'
        else usage_unit
    end as consumed_unit,
    sku_id,
    sku_description as sku_meter,
    label_map as tags,
    x_line_class,
    case when x_line_class = 'instance' then machine_type end as x_instance_type,
    case
        when
            x_line_class = 'instance'
            and sku like '%gpu%'
            and usage_unit = 'seconds'
            and usage_end_time > started_at
            and (machine_type is null or machine_type like 'n1-%' or machine_type like 'custom-%')
            then cast(
                ceil(cast(usage_amount as double) / (date_diff('second', started_at, usage_end_time)))
                as decimal(18, 6)
            )
    end as x_gpu_count,
    case when x_line_class = 'instance' then core_count end as x_cpu_count,
    case
        when x_line_class = 'instance'
            then cast(cast(memory_mib as double) / 1024 as decimal(18, 6))
    end as x_memory_gib,
    case
        when x_line_class = 'transfer' then coalesce(from_region, location_region)
    end as x_from_region,
    case
        when x_line_class <> 'transfer' then null
        when sku like '%internet%' or sku like 'download%' or service = 'cloud cdn' then 'internet'
        when sku like '%inter zone%' or sku like '%intra zone%' or sku like '%interzone%'
            then coalesce(from_region, location_region)
        else to_region
    end as x_to_region
from named_rows
