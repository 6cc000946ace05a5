-- One row of FOCUS: bill lines that are alike, and whom a part of them is attributed to.
--
-- All columns of 1.4 and of 1.2 that can be told; the writer takes those of the version asked for.
-- Where FOCUS wants a value that the bill does not give, the nearest true one stands: the number
-- of the bill's lines for a quantity, the region's id for its name, the host for the issuer.
--
-- grain: one row per line and posting
-- param: is_named = true  -- whether a person may be named

-- noqa: disable=references.quoting

with

amounts as (
    select
        taken_lines.* exclude (effective_cost, billed_cost, list_cost, contracted_cost, consumed_quantity)
        -- what is billed against a commitment, and is not cancelled by a line beside it
        replace (
            case
                when
                    taken_lines.charge_category = 'Usage' and taken_lines.commitment_discount_id is not null
                    and cells.billed_cost <> 0
                    then 'Adjustment'
                else taken_lines.charge_category
            end as charge_category
        ),
        cells.* exclude (line_no)
    from cells
    inner join taken_lines using (line_no)
),

described as (
    select
        amounts.*,
        parts.* exclude (
            part_no, charge_date, source, billing_currency, group_hash, pool_hash, effective_cost, billed_cost
        ),
        exported_runs.* exclude (run_id),
        case
            when not (commitment_discount_id is not null and charge_category = 'Usage') then null
            when x_line_class = 'commitment_unused' then 'Unused'
            else coalesce(commitment_discount_status, 'Used')
        end as status,
        charge_category in ('Usage', 'Purchase') as is_priced,
        coalesce(parts.run_id, parts.pod_id, nullif(parts.dataset, '(unregistered)')) as allocated_id,
        parts.method not in ('by_kind', 'owner') as is_allocated
    from amounts
    inner join exported_parts as parts using (part_no)
    left join exported_runs on parts.run_id = exported_runs.run_id
),

told as (
    select
        *,
        case when $is_named then user_id end as user_told,
        charge_category = 'Usage' and coalesce(status, '') <> 'Unused' as is_consumed,
        coalesce(model, models) as model_told
    from described
)

select
    billed_cost as "BilledCost",
    coalesce(billing_account_id, source) as "BillingAccountId",
    billing_account_name as "BillingAccountName",
    billing_currency as "BillingCurrency",
    timezone('UTC', cast(billing_period as timestamp)) as "BillingPeriodStart",
    timezone('UTC', billing_period + interval 1 month) as "BillingPeriodEnd",
    charge_category as "ChargeCategory",
    charge_class as "ChargeClass",
    charge_description as "ChargeDescription",
    case
        when lower(charge_frequency) = 'one-time' then 'One-Time'
        when lower(charge_frequency) = 'recurring' then 'Recurring'
        when charge_category = 'Purchase' then 'One-Time'
        else 'Usage-Based'
    end as "ChargeFrequency",
    timezone('UTC', period_start) as "ChargePeriodStart",
    timezone('UTC', period_end) as "ChargePeriodEnd",
    case
        when commitment_discount_id is null then null
        when commitment_discount_type ilike '%saving%' or commitment_discount_type ilike '%spend%' then 'Spend'
        else 'Usage'
    end as "CommitmentDiscountCategory",
    commitment_discount_id as "CommitmentDiscountId",
    status as "CommitmentDiscountStatus",
    case
        when commitment_discount_id is not null then coalesce(commitment_discount_type, 'Commitment')
    end as "CommitmentDiscountType",
    case when is_consumed then coalesce(consumed_quantity, charges) end as "ConsumedQuantity",
    case
        when is_consumed and consumed_quantity is not null then coalesce(consumed_unit, 'Units')
        when is_consumed then 'Charges'
    end as "ConsumedUnit",
    contracted_cost as "ContractedCost",
    effective_cost as "EffectiveCost",
    coalesce(host_provider_name, service_provider_name) as "HostProviderName",
    invoice_id as "InvoiceId",
    coalesce(host_provider_name, service_provider_name, source) as "InvoiceIssuerName",
    list_cost as "ListCost",
    case
        when not is_priced then null
        when charge_category = 'Usage' and commitment_discount_id is not null then 'Committed'
        when pricing_category in ('Standard', 'Dynamic', 'Committed', 'Other') then pricing_category
        else 'Standard'
    end as "PricingCategory",
    case when is_priced then coalesce(consumed_quantity, charges) end as "PricingQuantity",
    case
        when is_priced and consumed_quantity is not null then coalesce(consumed_unit, 'Units')
        when is_priced then 'Charges'
    end as "PricingUnit",
    coalesce(host_provider_name, service_provider_name, source) as "ProviderName",
    coalesce(service_provider_name, host_provider_name, source) as "PublisherName",
    availability_zone as "AvailabilityZone",
    region_id as "RegionId",
    region_id as "RegionName",
    resource_id as "ResourceId",
    case when resource_id is not null then resource_name end as "ResourceName",
    case when resource_id is not null then coalesce(resource_type, x_line_class) end as "ResourceType",
    case
        when list_contains(service_categories(), service_category) then service_category else 'Other'
    end as "ServiceCategory",
    coalesce(service_name, 'not stated') as "ServiceName",
    coalesce(service_provider_name, host_provider_name, source) as "ServiceProviderName",
    sku_id as "SkuId",
    sku_meter as "SkuMeter",
    sub_account_id as "SubAccountId",
    case when sub_account_id is not null then sub_account_name end as "SubAccountName",
    cast(to_json(shown_tags(tags, $is_named)) as varchar) as "Tags",
    case when is_allocated then method end as "AllocatedMethodId",
    case
        when is_allocated and share between 0 and 100000000000000
            then
                '{"Elements": [{"AllocatedRatio": '
                || cast(
                    cast(share as decimal(15, 0)) * cast(0.00000000000001 as decimal(14, 14)) as decimal(15, 14)
                )
                || case
                    when gpu_hours > 0 then ', "UsageUnit": "GPU-Hours", "UsageQuantity": ' || gpu_hours else ''
                end
                || '}]}'
    end as "AllocatedMethodDetails",
    case when is_allocated then allocated_id end as "AllocatedResourceId",
    case
        when is_allocated and allocated_id is not null and $is_named then coalesce(run_name, pod_id, dataset)
    end as "AllocatedResourceName",
    case
        when is_allocated and coalesce(user_told, team, project) is not null
            then
                cast(
                    to_json(
                        map_from_entries(
                            list_filter(
                                [
                                    struct_pack(k := 'user', v := user_told),
                                    struct_pack(k := 'team', v := team),
                                    struct_pack(k := 'project', v := project)
                                ],
                                lambda tag: tag.v is not null
                            )
                        )
                    ) as varchar
                )
    end as "AllocatedTags",
    run_id as "x_RunId",
    model_told as "x_Model",
    model_versions as "x_ModelVersion",
    coalesce(dataset, datasets) as "x_Dataset",
    user_told as "x_User",
    team as "x_Team",
    project as "x_Project",
    cost_kind as "x_AllocationStage",
    source as "x_Source",
    x_line_class as "x_LineClass"
from told
