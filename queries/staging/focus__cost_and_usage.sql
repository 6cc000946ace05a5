-- A line of a FOCUS bill, of any version from 1.0 to 1.4 and any provider.
--
-- Costs are taken as they stand: FOCUS itself says what is billed and what is effective, and every
-- line is kept, corrections and unused commitments too. Versions before 1.3 name a provider and a
-- publisher instead of who provides a service and who hosts it. Where the publisher is the provider
-- or sends the invoice, both are the provider; a line that somebody else publishes (a marketplace's)
-- is provided by the publisher and hosted by the provider.
--
-- A line that the provider has split among workloads (from 1.3 on) carries the workload's tags over
-- those of what was split; the thing that is paid for stays the thing it was.
--
-- What a line is (`x_line_class`) follows, in this order, from its charge category and commitment
-- status; on AWS from the usage type, by the same patterns that classify AWS's own reports; else
-- from what the service, meter and kind of resource are called. It is found once per kind of line,
-- not once per line. Of compute that none of these tells, what is counted by the hour is a machine where
-- its id is one of a virtual machine, or its SKU names a type of instance. The service alone does not tell:
-- EC2's also bills gateways by the hour, and bytes under the id of the machine that moved them.
-- What no rule knows is `other`: attributed by its owner's tags, and conserved.
--
-- AWS's own exports leave gaps, which are mended here, so that a line says what AWS's other reports
-- say of it. 1.0 has the usage type in `x_UsageType`, 1.2 in `SkuMeter`; a copy without the product's
-- code (`x_ServiceCode`) has it from the service's name. The name of the service, the region, the SKU
-- (the first part of `SkuPriceId`) and the contracted cost (price x quantity, else what is paid for
-- what no commitment covers, else the list cost) come from elsewhere where they are null. A publisher
-- that is one of Amazon's companies is AWS. Cost categories join the tags, and so does the model that
-- Bedrock's usage type names. An `Adjustment` that gives money back is a refund, hence `credit`.
-- `x_Discounts` only says what costs already have: it is never taken off again.
--
-- Google's export has labels, tags, labels of projects and of the system in columns of its own, no
-- category of services, and ids where bills elsewhere have names: tags, classes, machines and names
-- are here what `gcp_billing` makes of the detailed export, by the words of the SKU.
--
-- Flaws: a file without meters (FOCUS 1.0 of AWS) leaves machines and storage to be told apart by the
-- kind and the id of the resource; an hour of compute under an id that says nothing, such as a UUID, is
-- `other` where no type of instance is named; the regions of a transfer are known on AWS, elsewhere only its source.
--
-- grain:     one row per line
-- partition: charge_date
-- dated:     charge_period_start, billing_period_start
-- feeds:     cost_lines
-- owner:     ml-platform

with

billed_kinds as (
    select distinct
        service_category,
        service_subcategory,
        service_name,
        x_service_code as delivered_code,
        resource_type,
        coalesce(x_usage_type, sku_meter, x_sku_meter_name) as usage_type,
        coalesce(consumed_unit, pricing_unit) as unit
    from raw.focus__cost_and_usage
),

-- 1 row per name of a service of AWS's
aws_services as (
    select
        service_name,
        min(product_code) as product_code
    from seeds.aws_services
    group by service_name
),

-- 1 row per kind: AWS begins most usage types with the code of a region
bare_kinds as (
    select
        billed_kinds.*,
        coalesce(billed_kinds.delivered_code, named.product_code) as x_service_code,
        coded.service_name as aws_service,
        own.region_id as stated_region,
        coalesce(own.region_id, 'us-east-1') as own_region,
        other.region_id as other_region,
        case
            when own.region_id is null then billed_kinds.usage_type
            else substr(billed_kinds.usage_type, length(own.billing_code) + 2)
        end as bare_type,
        lower(concat_ws(' ', billed_kinds.service_category, billed_kinds.service_subcategory)) as category,
        lower(coalesce(billed_kinds.service_name, coded.service_name)) as service,
        lower(concat_ws(' ', billed_kinds.usage_type, billed_kinds.resource_type)) as meter,
        lower(billed_kinds.unit) as small_unit
    from billed_kinds
    left join seeds.aws_region_codes as own
        on split_part(billed_kinds.usage_type, '-', 1) = own.billing_code
    left join seeds.aws_region_codes as other
        on split_part(billed_kinds.usage_type, '-', 2) = other.billing_code
    left join aws_services as named
        on billed_kinds.service_name = named.service_name
    left join seeds.aws_services as coded
        on billed_kinds.delivered_code = coded.product_code
),

aws_classes as (
    select
        bare_kinds.x_service_code,
        bare_kinds.bare_type,
        arg_min(patterns.x_line_class, cast(patterns.position as integer)) as x_line_class
    from bare_kinds
    inner join seeds.aws_usage_types as patterns
        on
            bare_kinds.x_service_code like patterns.product_code
            and bare_kinds.bare_type like patterns.usage_type
    group by bare_kinds.x_service_code, bare_kinds.bare_type
),

usage_kinds as (
    select
        bare_kinds.*,
        class_of_words(bare_kinds.service, bare_kinds.category, bare_kinds.meter) as class_by_words,
        coalesce(
            aws_classes.x_line_class,
            case
                when class_by_words <> 'instance' or not is_unit_of_bytes(bare_kinds.small_unit) then class_by_words
            end
        ) as x_line_class,
        bare_kinds.category = 'compute'
        and is_unit_of_time(bare_kinds.small_unit)
        and (bare_kinds.usage_type is null or bare_kinds.x_service_code is null)
        and not is_serverless(bare_kinds.category, bare_kinds.service, bare_kinds.meter) as may_be_machine,
        case
            when contains(split_part(bare_kinds.bare_type, ':', 2), '.')
                then replace(split_part(bare_kinds.bare_type, ':', 2), 'ml.', '')
        end as instance_type,
        case
            when aws_classes.x_line_class is null then null
            when bare_kinds.bare_type like '%AWS-In-Bytes%' then bare_kinds.other_region
            when bare_kinds.bare_type like '%DataTransfer-In-%' then 'internet'
            when bare_kinds.x_service_code <> 'AmazonCloudFront' then bare_kinds.own_region
        end as from_region,
        case
            when bare_kinds.meter like '%internet%' then 'internet'
            when aws_classes.x_line_class is null then null
            when bare_kinds.bare_type like '%AWS-Out-Bytes%' then bare_kinds.other_region
            when bare_kinds.bare_type like '%-Out-%' then 'internet'
            when bare_kinds.x_service_code <> 'AmazonCloudFront' then bare_kinds.own_region
        end as to_region,
        case
            when bare_kinds.x_service_code like 'AmazonBedrock%' then bedrock_model_of(bare_kinds.bare_type)
            when bare_kinds.service_name like '% (Amazon Bedrock Edition)'
                then replace(bare_kinds.service_name, ' (Amazon Bedrock Edition)', '')
        end as billed_model,
        token_type_of(bare_kinds.bare_type) as token_type
    from bare_kinds
    left join aws_classes using (x_service_code, bare_type)
),

-- 1 row per SKU of Google's, by its words
google_kinds as (
    select
        skus.service_name,
        skus.sku,
        arg_min(patterns.x_line_class, cast(patterns.position as integer)) as x_line_class,
        any_value(origins.region_id) as from_region,
        any_value(targets.region_id) as to_region
    from (
        select distinct
            service_name,
            charge_description as sku
        from raw.focus__cost_and_usage
        where coalesce(host_provider_name, provider_name) like 'Google%'
    ) as skus
    left join seeds.gcp_skus as patterns
        on lower(skus.service_name) like patterns.service and lower(skus.sku) like patterns.sku
    left join seeds.gcp_regions as origins on regexp_extract(skus.sku, ' from (.+) to ', 1) = origins.place
    left join seeds.gcp_regions as targets on regexp_extract(skus.sku, ' to (.+)$', 1) = targets.place
    group by skus.service_name, skus.sku
),

-- 1 row per set of labels of Google's
label_sets as (
    select
        *,
        gcp_label_map(
            google_pairs(x_labels), google_pairs(x_tags), google_pairs(x_project_labels), google_pairs(x_system_labels)
        ) as label_map
    from (
        select distinct
            x_labels,
            x_tags,
            x_project_labels,
            x_system_labels
        from raw.focus__cost_and_usage
        where coalesce(x_labels, x_tags, x_project_labels, x_system_labels) is not null
    ) as texts
),

named_lines as (
    select
        line_items.*,
        label_sets.label_map,
        google_kinds.sku is not null as is_google,
        lower(google_kinds.sku) as google_sku,
        label_map['system-label/compute.googleapis.com/machine_spec'] as google_machine,
        try_cast(label_map['system-label/compute.googleapis.com/cores'] as decimal(18, 6)) as google_cores,
        try_cast(label_map['system-label/compute.googleapis.com/memory'] as decimal(18, 6)) as google_mib,
        coalesce(google_kinds.x_line_class, usage_kinds.x_line_class) as usage_class,
        usage_kinds.may_be_machine,
        usage_kinds.instance_type,
        coalesce(google_kinds.from_region, usage_kinds.from_region) as from_region,
        case
            when google_kinds.sku is null then usage_kinds.to_region
            when lower(google_kinds.sku) like '%internet%' or lower(google_kinds.sku) like 'download%' then 'internet'
            when regexp_matches(lower(google_kinds.sku), 'inter zone|intra zone|interzone')
                then coalesce(google_kinds.from_region, line_items.region_id)
            else google_kinds.to_region
        end as to_region,
        usage_kinds.aws_service,
        usage_kinds.billed_model,
        usage_kinds.token_type,
        case when line_items.region_id is null then usage_kinds.stated_region end as usage_region,
        coalesce(line_items.charge_period_start, line_items.billing_period_start) as started_at,
        coalesce(line_items.host_provider_name, line_items.provider_name) as hosted_by,
        coalesce(
            line_items.service_provider_name,
            case
                when line_items.publisher_name is null then line_items.provider_name
                when line_items.publisher_name = line_items.invoice_issuer_name then line_items.provider_name
                when regexp_matches(line_items.publisher_name, '^(Amazon|AWS)\b') then line_items.provider_name
                when
                    line_items.publisher_name like 'Google%' and line_items.provider_name like 'Google%'
                    then line_items.provider_name
                else line_items.publisher_name
            end
        ) as provided_by
    from raw.focus__cost_and_usage as line_items
    left join usage_kinds
        on
            line_items.service_category is not distinct from usage_kinds.service_category
            and line_items.service_subcategory is not distinct from usage_kinds.service_subcategory
            and line_items.service_name is not distinct from usage_kinds.service_name
            and line_items.x_service_code is not distinct from usage_kinds.delivered_code
            and line_items.resource_type is not distinct from usage_kinds.resource_type
            and coalesce(line_items.x_usage_type, line_items.sku_meter, line_items.x_sku_meter_name)
            is not distinct from usage_kinds.usage_type
            and coalesce(line_items.consumed_unit, line_items.pricing_unit) is not distinct from usage_kinds.unit
    left join google_kinds
        on
            coalesce(line_items.host_provider_name, line_items.provider_name) like 'Google%'
            and line_items.service_name is not distinct from google_kinds.service_name
            and line_items.charge_description = google_kinds.sku
    left join label_sets
        on
            line_items.x_labels is not distinct from label_sets.x_labels
            and line_items.x_tags is not distinct from label_sets.x_tags
            and line_items.x_project_labels is not distinct from label_sets.x_project_labels
            and line_items.x_system_labels is not distinct from label_sets.x_system_labels
),

classified_lines as (
    select
        *,
        case
            when charge_category = 'Tax' then 'tax'
            when charge_category = 'Credit' then 'credit'
            when charge_category = 'Adjustment' and hosted_by = 'AWS' and billed_cost < 0 then 'credit'
            when commitment_discount_status = 'Unused' then 'commitment_unused'
            when provided_by <> hosted_by then 'saas'
            when usage_class = 'support' then 'support'
            when charge_category = 'Purchase' then 'purchase'
            -- a disk of a machine's, where its kind is not told
            when usage_class = 'instance' and resource_id ilike '%/microsoft.compute/disks/%' then 'volume'
            when usage_class is not null then usage_class
            when
                may_be_machine
                and (
                    is_machine_id(lower(resource_id))
                    or coalesce(sku_price_details['InstanceType'], sku_price_details['x_InstanceType']) is not null
                )
                then 'instance'
            else 'other'
        end as line_class,
        is_google and line_class = 'instance' and google_cores > 0 and consumed_unit ilike 'second%'
        and (contains(google_sku, 'core') or contains(google_sku, 'cpu')) as is_of_cores
    from named_lines
)

select
    x_source as source,
    cast(date_trunc('month', coalesce(billing_period_start, charge_period_start)) as date) as billing_period,
    cast(started_at as date) as charge_date,
    case
        when
            charge_period_end = started_at + interval 1 hour
            and started_at = date_trunc('hour', started_at)
            then started_at
    end as charge_hour,
    started_at as charge_period_start,
    charge_period_end,
    coalesce(billed_cost, 0) as billed_cost,
    coalesce(effective_cost, 0) as effective_cost,
    list_cost,
    coalesce(
        contracted_cost,
        cast(
            try_cast(contracted_unit_price as decimal(18, 12)) * try_cast(pricing_quantity as decimal(20, 10))
            as decimal(38, 12)
        ),
        case when commitment_discount_id is null then billed_cost end,
        list_cost
    ) as contracted_cost,
    coalesce(billing_currency, 'XXX') as billing_currency,  -- XXX: the file has no currency
    billing_account_id,
    billing_account_name,
    sub_account_id,
    sub_account_name,
    invoice_id,
    provided_by as service_provider_name,
    hosted_by as host_provider_name,
    coalesce(
        service_category,
        case
            when not is_google then null
            when line_class in ('nat', 'transfer', 'load_balancer') then 'Networking'
            when line_class in ('volume', 'snapshot', 'object_storage', 'object_requests') then 'Storage'
            when line_class in ('instance', 'control_plane') then 'Compute'
            when regexp_matches(lower(service_name), 'vertex|machine learning|ai platform')
                then 'AI and Machine Learning'
        end,
        'Other'
    ) as service_category,
    coalesce(service_name, aws_service, provided_by, 'unknown') as service_name,
    coalesce(region_id, usage_region) as region_id,
    availability_zone,
    case
        when is_google and line_class in ('instance', 'volume', 'snapshot', 'object_storage', 'object_requests')
            then split_part(coalesce(resource_name, resource_id), '/', -1)
        when line_class = 'instance' and resource_id ilike '%/virtualMachineScaleSets/%'
            then coalesce(x_sku_details['VMName'], x_sku_details['VmName'], split_part(resource_id, '/', -1))
        when line_class in ('instance', 'volume') then split_part(resource_id, '/', -1)
        -- an id of EC2, which is unique without its ARN: snap-, nat-, eipalloc-
        when resource_id like 'arn:%:ec2:%/%-%' and not contains(resource_id, ':reserved-instances/')
            then split_part(resource_id, '/', -1)
        when contains(resource_id, ':s3:::') then split_part(resource_id, ':s3:::', 2)
        else resource_id
    end as resource_id,
    resource_name,
    resource_type,
    coalesce(charge_category, 'Usage') as charge_category,
    charge_class,
    charge_frequency,
    charge_description,
    commitment_discount_id,
    commitment_discount_type,
    commitment_discount_status,
    pricing_category,
    case
        when is_of_cores
            then cast(cast(consumed_quantity as double) / cast(google_cores as double) / 3600 as decimal(38, 12))
        else consumed_quantity
    end as consumed_quantity,
    if(is_of_cores, 'Hours', consumed_unit) as consumed_unit,
    coalesce(sku_id, if(hosted_by = 'AWS', nullif(split_part(sku_price_id, '.', 1), ''), null)) as sku_id,
    coalesce(x_usage_type, sku_meter, x_sku_meter_name, if(is_google, charge_description, null)) as sku_meter,
    case
        when label_map is not null then map_concat(tags, label_map)
        when allocated_tags is null and x_cost_categories is null and billed_model is null
            then focus_tags(tags)
        else map_concat(
            x_cost_categories, focus_tags(tags), allocated_tags, aws_words(null, billed_model, token_type)
        )
    end as tags,
    line_class as x_line_class,
    case
        when line_class in ('instance', 'managed_job')
            then replace(
                coalesce(
                    sku_price_details['InstanceType'],
                    sku_price_details['x_InstanceType'],
                    x_sku_details['ServiceType'],
                    google_machine,
                    instance_type
                ),
                'ml.',
                ''
            )
    end as x_instance_type,
    case
        when line_class <> 'instance' then null
        when
            google_sku like '%gpu%'
            and consumed_unit ilike 'second%'
            and charge_period_end > started_at
            and (google_machine is null or google_machine like 'n1-%' or google_machine like 'custom-%')
            then cast(
                ceil(cast(consumed_quantity as double) / date_diff('second', started_at, charge_period_end))
                as decimal(18, 6)
            )
        else try_cast(sku_price_details['GpuCount'] as decimal(18, 6))
    end as x_gpu_count,
    case
        when line_class = 'instance'
            then coalesce(google_cores, try_cast(sku_price_details['CoreCount'] as decimal(18, 6)))
    end as x_cpu_count,
    case
        when line_class = 'instance'
            then coalesce(
                cast(cast(google_mib as double) / 1024 as decimal(18, 6)),
                try_cast(sku_price_details['MemorySize'] as decimal(18, 6))
            )
    end as x_memory_gib,
    case
        when line_class = 'transfer' then coalesce(from_region, region_id, usage_region)
    end as x_from_region,
    case
        when line_class = 'transfer' then to_region
    end as x_to_region
from classified_lines
