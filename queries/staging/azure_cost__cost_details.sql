-- A line of an Azure bill, from the exports ActualCost and AmortizedCost of one scope.
--
-- Both exports hold all usage. What FOCUS asks for is in neither alone: AmortizedCost lacks what
-- commitments cost when they were bought, ActualCost what they cost where they were used. So, as
-- Microsoft itself puts the two together, all lines count of the one, and of the other those that
-- buy or give back a commitment:
--
--   half       charge                                 billed_cost  effective_cost
--   amortized  usage that a commitment pays for       0            cost
--   amortized  what went unused of a commitment       0            cost
--   amortized  all else                               cost         cost
--   actual     purchase or refund of a commitment     cost         0
--   actual     all else                               left out: the other half has it
--
-- A commitment pays where the pricing model is Reservation or SavingsPlan; in exports that name no
-- pricing model, where a reservation is named.
--
-- Quantities and prices are both in the unit of measure, blocks and all (0.0004 of `10K` operations
-- at 0.10): consumed_quantity is in single units. The dates that end a period are inclusive there,
-- exclusive here. Azure writes one id in many cases, so ids are in lower case. A machine of a scale
-- set is called as its node is, `<scale set>_<number>`.
--
-- What a line is (`x_line_class`) follows from its meter, which is matched with seeds.azure_meters
-- once per meter, not once per line. A meter that no pattern matches is `other`.
--
-- Flaws: machines and disks of one name in two resource groups count as one. A purchase in another
-- currency than the usage has no contracted cost. The region that a transfer goes to is not told.
--
-- grain:     one row per line that counts
-- partition: charge_date
-- dated:     date, billing_period_start_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

billed_meters as (
    select distinct
        lower(coalesce(consumed_service, '')) as consumed_service,
        lower(coalesce(meter_category, '')) as meter_category,
        lower(coalesce(meter_sub_category, '')) as meter_sub_category,
        lower(coalesce(meter_name, '')) as meter_name
    from raw.azure_cost__cost_details
),

meter_classes as (
    select
        billed_meters.*,
        arg_min(patterns.x_line_class, cast(patterns.position as integer)) as meter_class
    from billed_meters
    inner join seeds.azure_meters as patterns
        on
            billed_meters.consumed_service like patterns.consumed_service
            and billed_meters.meter_category like patterns.meter_category
            and billed_meters.meter_sub_category like patterns.meter_sub_category
            and billed_meters.meter_name like patterns.meter_name
    group by all
),

read_lines as (
    select
        *,
        lower(coalesce(charge_type, 'usage')) as charge,
        coalesce(cost_in_billing_currency, 0) as cost,
        coalesce(billing_period_start_date, date) as invoiced_from,
        coalesce(date, billing_period_start_date) as started_at,
        coalesce(
            replace(lower(pricing_model), ' ', '') in ('reservation', 'savingsplan'),
            reservation_id is not null or benefit_id is not null
        ) as is_committed,
        coalesce(publisher_type = 'Marketplace', false) as is_from_others,
        lower(regexp_replace(trim(resource_id), '/+$', '')) as path
    from raw.azure_cost__cost_details
),

classified_lines as (
    select
        lines.*,
        lines.charge in ('usage', 'unusedreservation', 'unusedsavingsplan') as is_usage,
        starts_with(lines.charge, 'unused') as is_unused,
        cast(units.block_size as bigint) as block_size,
        units.unit,
        coalesce(regions.region_id, lower(replace(lines.resource_location, ' ', ''))) as region_id,
        case
            when lines.charge = 'tax' then 'tax'
            when lines.charge in ('credit', 'refund') then 'credit'
            when starts_with(lines.charge, 'unused') then 'commitment_unused'
            when lines.is_from_others then 'saas'
            when meter_classes.meter_class = 'support' then 'support'
            when lines.charge = 'purchase' then 'purchase'
            else coalesce(meter_classes.meter_class, 'other')
        end as x_line_class
    from read_lines as lines
    left join meter_classes
        on
            lower(coalesce(lines.consumed_service, '')) = meter_classes.consumed_service
            and lower(coalesce(lines.meter_category, '')) = meter_classes.meter_category
            and lower(coalesce(lines.meter_sub_category, '')) = meter_classes.meter_sub_category
            and lower(coalesce(lines.meter_name, '')) = meter_classes.meter_name
    left join seeds.azure_units as units
        on lower(regexp_replace(trim(lines.unit_of_measure), ' +', ' ', 'g')) = units.unit_of_measure
    left join seeds.azure_regions as regions
        on lower(trim(lines.resource_location)) = regions.location
    where lines.half = 'amortized' or (lines.is_committed and lines.charge in ('purchase', 'refund'))
)

select
    x_source as source,
    cast(date_trunc('month', invoiced_from) as date) as billing_period,
    cast(started_at as date) as charge_date,
    cast(null as timestamp) as charge_hour,  -- Azure bills by the day
    started_at as charge_period_start,
    started_at + interval 1 day as charge_period_end,
    cast(
        case
            when half = 'amortized' and (is_committed or is_unused) then 0
            else cost
        end
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        case
            when half = 'amortized' then cost
            else 0
        end
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        case
            when is_unused then 0
            when not is_usage then cost
            else coalesce(payg_cost_in_billing_currency, nullif(pay_g_price, 0) * quantity, cost)
        end
        as decimal(38, 12)
    ) as list_cost,
    cast(
        case
            when is_unused then 0
            when not is_committed or not is_usage then cost
            when payg_cost_in_billing_currency is null then nullif(unit_price, 0) * quantity
        end
        as decimal(38, 12)
    ) as contracted_cost,
    coalesce(billing_currency, 'XXX') as billing_currency,  -- XXX: the export has no currency
    case
        when regexp_full_match(billing_account_id, '[0-9]+') then billing_account_id
        else coalesce(billing_profile_id, billing_account_id)
    end as billing_account_id,
    case
        when regexp_full_match(billing_account_id, '[0-9]+') then billing_account_name
        else coalesce(billing_profile_name, billing_account_name)
    end as billing_account_name,
    lower(subscription_id) as sub_account_id,
    subscription_name as sub_account_name,
    invoice_id,
    if(is_from_others, coalesce(publisher_name, 'Azure Marketplace'), 'Microsoft') as service_provider_name,
    'Microsoft' as host_provider_name,
    case
        when x_line_class in ('nat', 'transfer', 'load_balancer') then 'Networking'
        when x_line_class in ('volume', 'snapshot', 'object_storage', 'object_requests') then 'Storage'
        when x_line_class in ('instance', 'control_plane') then 'Compute'
        when x_line_class = 'managed_job' then 'AI and Machine Learning'
        when lower(service_family) in ('ai + machine learning', 'azure ai services')
            then 'AI and Machine Learning'
        when lower(service_family) in ('compute', 'containers') then 'Compute'
        when service_family in (
            'Analytics',
            'Databases',
            'Developer Tools',
            'Identity',
            'Integration',
            'Internet of Things',
            'Management and Governance',
            'Media',
            'Networking',
            'Security',
            'Storage',
            'Web'
        ) then service_family
        else 'Other'
    end as service_category,
    coalesce(meter_category, consumed_service, 'Microsoft Azure') as service_name,
    region_id,
    availability_zone,
    case
        when x_line_class = 'instance' and contains(path, '/virtualmachinescalesets/')
            then lower(coalesce(additional_info['VMName'], additional_info['VmName'], split_part(path, '/', -1)))
        when x_line_class in ('instance', 'volume') then split_part(path, '/', -1)
        else path
    end as resource_id,
    resource_name,
    coalesce(lower(resource_type), nullif(regexp_extract(path, '/providers/([^/]+/[^/]+)/', 1), '')) as resource_type,
    case
        when charge = 'tax' then 'Tax'
        when charge = 'credit' then 'Credit'
        when is_usage then 'Usage'
        when charge in ('purchase', 'refund') then 'Purchase'
        else 'Adjustment'
    end as charge_category,
    case
        when charge = 'refund' then 'Correction'
    end as charge_class,
    case lower(frequency)
        when 'onetime' then 'One-Time'
        when 'recurring' then 'Recurring'
        when 'usagebased' then 'Usage-Based'
        else if(is_usage, 'Usage-Based', 'One-Time')
    end as charge_frequency,
    product_name as charge_description,
    lower(coalesce(benefit_id, reservation_id)) as commitment_discount_id,
    case
        when benefit_id ilike '%/microsoft.billingbenefits/%' then 'Savings Plan'
        when coalesce(benefit_id, reservation_id) is null then null
        when replace(lower(pricing_model), ' ', '') = 'savingsplan' then 'Savings Plan'
        else 'Reservation'
    end as commitment_discount_type,
    case
        when is_unused then 'Unused'
        when is_usage and is_committed then 'Used'
    end as commitment_discount_status,
    case
        when is_committed or is_unused then 'Committed'
        when lower(pricing_model) = 'spot' then 'Dynamic'
        when is_usage then 'Standard'
    end as pricing_category,
    case
        when is_usage and not is_unused then cast(quantity * coalesce(block_size, 1) as decimal(38, 12))
    end as consumed_quantity,
    case
        when is_usage and not is_unused then coalesce(unit, unit_of_measure)
    end as consumed_unit,
    coalesce(product_id, part_number) as sku_id,
    nullif(concat_ws(' ', meter_category, meter_sub_category, meter_name), '') as sku_meter,
    tags,
    x_line_class,
    case
        when x_line_class in ('instance', 'managed_job', 'commitment_unused') then additional_info['ServiceType']
    end as x_instance_type,
    cast(null as decimal(18, 6)) as x_gpu_count,
    case
        when x_line_class = 'instance' then try_cast(additional_info['VCPUs'] as decimal(18, 6))
    end as x_cpu_count,
    cast(null as decimal(18, 6)) as x_memory_gib,
    case
        when x_line_class = 'transfer' then region_id
    end as x_from_region,
    case
        when x_line_class <> 'transfer' then null
        when meter_category = 'Bandwidth' and coalesce(meter_sub_category, '') not like 'Inter-%' then 'internet'
    end as x_to_region
from classified_lines
