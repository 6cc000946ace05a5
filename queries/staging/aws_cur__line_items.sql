-- A line of an AWS bill, from CUR 2.0 or the older Cost and Usage Report.
--
-- Two measures. `billed_cost` is the unblended cost of every line, as it stands: its sum over all
-- lines is the sum of the report, with no line left out. So what a Savings Plan covers carries its
-- price on demand and the negation beside it takes it away again; both keep the machine's id and
-- hour, and cancel there. Dropping the pair would be right only if it always cancelled, and money
-- would vanish in silence where it does not. `effective_cost` spreads commitments over what they
-- cover:
--
--   DiscountedUsage          reservation_effective_cost
--   SavingsPlanCoveredUsage  savings_plan_savings_plan_effective_cost
--   SavingsPlanNegation      0
--   RIFee                    two rows: the fee at 0, and what went unused at its own cost
--   SavingsPlanRecurringFee  two rows: the fee at 0, and commitment less what was used of it
--   up-front fees, and refunds of fees, of a commitment: 0, because what they cover carries them
--   all else                 unblended
--
-- Where a report lacks the columns of amortisation (those before 2019 do), the fee keeps its
-- unblended cost, so that nothing vanishes.
--
-- Negotiated discounts are lines of their own, or in net columns, as the export is set up; a report
-- may hold both, and they are the same money. So an account's period with any line of a discount is
-- read without its net columns, and one with none by its net columns, where they are filled.
--
-- Split cost rows (pods of EKS, tasks of ECS) carry no unblended cost, because their machine's own
-- line carries it; they are kept, as `other`, and their split cost is never added (see billed_pods).
--
-- What a line is (`x_line_class`) follows from its product code and usage type, which are matched
-- with seeds.aws_usage_types once per pair, not once per line. A usage type that no pattern
-- matches is `other`: attributed by its owner's tags, and conserved like all.
--
-- Serverless inference has no machine and no run: the bill itself says who called and what answered.
-- Three words of it stand among the tags: `x_iam_principal` (the caller's ARN), `x_model` (what the
-- product says, else the usage type: `USE1-Claude4.6Sonnet-input-tokens`) and `x_token_type` (input,
-- output, cache_read, cache_write). Models of others are sold as a product of a marketplace's.
--
-- Flaws: `tags` holds resource tags and cost categories under their own keys; a cost category that
-- is called like a tag yields to the tag. What the map of all tags has besides these keeps its
-- beginning (`accountTag/`, `userAttribute/`, `iamPrincipal/`), because it owns less, or otherwise.
-- Refunds are corrections only where they reach back into an earlier period. What a Savings Plan
-- left unused has no net column, and is taken before discounts.
--
-- grain:     one row per line; two for fees of commitments
-- partition: charge_date
-- dated:     line_item_usage_start_date, bill_billing_period_start_date
-- reaches:   line_item_line_item_type like '%Discount'
-- reached:   bill_payer_account_id, last_day(coalesce(bill_billing_period_start_date, line_item_usage_start_date))
-- feeds:     cost_lines
-- owner:     ml-platform

with

fee_parts (line_item_line_item_type, is_unused) as (
    values
    ('RIFee', false),
    ('RIFee', true),
    ('SavingsPlanRecurringFee', false),
    ('SavingsPlanRecurringFee', true)
),

-- 1 row per kind in an account's period. What has to be known of all lines before the first is written is read
-- in one go, because text is unpacked anew each time.
period_kinds as materialized (
    select distinct
        x_source,
        x_unit,
        coalesce(bill_payer_account_id, '') as payer_id,
        date_trunc('month', coalesce(bill_billing_period_start_date, line_item_usage_start_date)) as billed_month,
        coalesce(line_item_product_code, '') as product_code,
        coalesce(line_item_usage_type, '') as usage_type,
        coalesce(line_item_line_item_type like '%Discount', false) as is_discount
    from raw.aws_cur__line_items
),

-- 1 row per account's period in which discounts are lines of their own
discounted_periods as (
    select distinct
        x_source,
        x_unit,
        payer_id,
        billed_month,
        true as has_discount_lines
    from period_kinds
    where is_discount
),

billed_kinds as (
    select distinct
        product_code,
        usage_type
    from period_kinds
),

-- 1 row per kind: most usage types begin with the code of a region, those of us-east-1 need not
bare_kinds as (
    select
        billed_kinds.product_code,
        billed_kinds.usage_type,
        coalesce(own.region_id, 'us-east-1') as own_region,
        other.region_id as other_region,
        own.region_id as stated_region,
        case
            when own.region_id is null then billed_kinds.usage_type
            else substr(billed_kinds.usage_type, length(own.billing_code) + 2)
        end as bare_type
    from billed_kinds
    left join seeds.aws_region_codes as own
        on split_part(billed_kinds.usage_type, '-', 1) = own.billing_code
    left join seeds.aws_region_codes as other
        on split_part(billed_kinds.usage_type, '-', 2) = other.billing_code
),

usage_kinds as (
    select
        bare_kinds.product_code,
        bare_kinds.usage_type,
        any_value(bare_kinds.stated_region) as region_id,
        any_value(services.service_name) as service_name,
        any_value(services.service_category) as service_category,
        arg_min(patterns.x_line_class, cast(patterns.position as integer)) as x_line_class,
        any_value(
            case
                when contains(split_part(bare_kinds.bare_type, ':', 2), '.')
                    then split_part(bare_kinds.bare_type, ':', 2)
            end
        ) as instance_type,
        any_value(
            case
                when bare_kinds.bare_type like '%AWS-In-Bytes%' then bare_kinds.other_region
                when bare_kinds.bare_type like '%DataTransfer-In-%' then 'internet'
                when bare_kinds.product_code <> 'AmazonCloudFront' then bare_kinds.own_region
            end
        ) as from_region,
        any_value(
            case
                when bare_kinds.bare_type like '%AWS-Out-Bytes%' then bare_kinds.other_region
                when bare_kinds.bare_type like '%-Out-%' then 'internet'
                when bare_kinds.product_code <> 'AmazonCloudFront' then bare_kinds.own_region
            end
        ) as to_region,
        bool_or(bare_kinds.product_code like 'AmazonBedrock%') as is_bedrock,
        any_value(
            case
                when bare_kinds.product_code like 'AmazonBedrock%'
                    then bedrock_model_of(bare_kinds.bare_type)
            end
        ) as billed_model,
        any_value(
            case
                when bare_kinds.product_code like 'AmazonBedrock%' or bare_kinds.bare_type like 'MP:%'
                    then token_type_of(bare_kinds.bare_type)
            end
        ) as token_type
    from bare_kinds
    left join seeds.aws_usage_types as patterns
        on bare_kinds.product_code like patterns.product_code and bare_kinds.bare_type like patterns.usage_type
    left join seeds.aws_services as services
        on bare_kinds.product_code = services.product_code
    group by bare_kinds.product_code, bare_kinds.usage_type
),

classified_lines as (
    select
        line_items.*,
        usage_kinds.region_id as usage_region,
        usage_kinds.service_name,
        usage_kinds.service_category,
        usage_kinds.instance_type,
        usage_kinds.from_region,
        usage_kinds.to_region,
        usage_kinds.token_type,
        case
            when usage_kinds.is_bedrock
                then coalesce(nullif(line_items.product['model'], ''), usage_kinds.billed_model)
            when line_items.product_product_name like '% (Amazon Bedrock Edition)'
                then replace(line_items.product_product_name, ' (Amazon Bedrock Edition)', '')
        end as billed_model,
        coalesce(fee_parts.is_unused, false) as is_unused,
        coalesce(line_items.line_item_line_item_type, 'Usage') as line_type,
        coalesce(line_items.line_item_usage_start_date, line_items.bill_billing_period_start_date) as started_at,
        coalesce(
            nullif(line_items.savings_plan_savings_plan_a_r_n, ''), nullif(line_items.reservation_reservation_a_r_n, '')
        ) as commitment_id,
        coalesce(line_items.line_item_unblended_cost, 0) as gross_cost,
        coalesce(
            after_discounts(has_discount_lines, line_item_net_unblended_cost, line_item_unblended_cost), 0
        ) as unblended_cost,
        after_discounts(has_discount_lines, reservation_net_effective_cost, reservation_effective_cost)
            as reserved_cost,
        after_discounts(
            has_discount_lines, savings_plan_net_savings_plan_effective_cost, savings_plan_savings_plan_effective_cost
        ) as covered_cost,
        coalesce(
            after_discounts(
                has_discount_lines,
                reservation_net_unused_amortized_upfront_fee_for_billing_period,
                reservation_unused_amortized_upfront_fee_for_billing_period
            ),
            0
        )
        + coalesce(
            after_discounts(has_discount_lines, reservation_net_unused_recurring_fee, reservation_unused_recurring_fee),
            0
        ) as unused_cost,
        case
            when line_items.line_item_line_item_type = 'Tax' then 'tax'
            when line_items.line_item_line_item_type in ('Credit', 'Refund') then 'credit'
            when line_items.line_item_line_item_type like '%Discount' then 'credit'
            when fee_parts.is_unused then 'commitment_unused'
            when fee_parts.is_unused is not null then 'purchase'
            when line_items.line_item_line_item_type = 'SavingsPlanUpfrontFee' then 'purchase'
            when line_items.bill_billing_entity = 'AWS Marketplace' then 'saas'
            when
                line_items.line_item_line_item_type = 'Fee' and coalesce(usage_kinds.x_line_class, '') <> 'support'
                then 'purchase'
            else coalesce(usage_kinds.x_line_class, 'other')
        end as x_line_class
    from raw.aws_cur__line_items as line_items
    left join fee_parts using (line_item_line_item_type)
    left join discounted_periods
        on
            line_items.x_source = discounted_periods.x_source
            and line_items.x_unit = discounted_periods.x_unit
            and coalesce(line_items.bill_payer_account_id, '') = discounted_periods.payer_id
            and date_trunc(
                'month', coalesce(line_items.bill_billing_period_start_date, line_items.line_item_usage_start_date)
            ) = discounted_periods.billed_month
    left join usage_kinds
        on
            coalesce(line_items.line_item_product_code, '') = usage_kinds.product_code
            and coalesce(line_items.line_item_usage_type, '') = usage_kinds.usage_type
)

select
    x_source as source,
    cast(
        date_trunc('month', coalesce(bill_billing_period_start_date, line_item_usage_start_date)) as date
    ) as billing_period,
    cast(started_at as date) as charge_date,
    case
        when
            line_item_usage_end_date = started_at + interval 1 hour
            and started_at = date_trunc('hour', started_at)
            then started_at
    end as charge_hour,
    started_at as charge_period_start,
    line_item_usage_end_date as charge_period_end,
    cast(
        case
            when is_unused then 0
            else unblended_cost
        end
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        case line_type
            when 'Usage' then unblended_cost
            when 'SavingsPlanCoveredUsage' then coalesce(covered_cost, 0)
            when 'SavingsPlanNegation' then 0
            when 'DiscountedUsage' then coalesce(reserved_cost, unblended_cost)
            when 'SavingsPlanUpfrontFee' then 0
            when 'RIFee'
                then case
                    when is_unused then unused_cost
                    when
                        reservation_unused_recurring_fee is null
                        and reservation_unused_amortized_upfront_fee_for_billing_period is null
                        then unblended_cost
                    else 0
                end
            when 'SavingsPlanRecurringFee'
                then case
                    when is_unused
                        then coalesce(
                            savings_plan_total_commitment_to_date - coalesce(savings_plan_used_commitment, 0), 0
                        )
                    when savings_plan_total_commitment_to_date is null then unblended_cost
                    else 0
                end
            when 'Fee' then if(commitment_id is null, unblended_cost, 0)
            when 'Refund' then if(commitment_id is null, unblended_cost, 0)
            else unblended_cost
        end
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        case
            when is_unused or line_type = 'SavingsPlanNegation' then 0
            else coalesce(nullif(pricing_public_on_demand_cost, 0), gross_cost)
        end
        as decimal(38, 12)
    ) as list_cost,
    cast(
        case
            when is_unused or line_type = 'SavingsPlanNegation' then 0
            when line_type = 'DiscountedUsage' then coalesce(pricing_public_on_demand_cost, unblended_cost)
            else unblended_cost
        end
        as decimal(38, 12)
    ) as contracted_cost,
    coalesce(line_item_currency_code, 'XXX') as billing_currency,  -- XXX: the report has no currency
    bill_payer_account_id as billing_account_id,
    bill_payer_account_name as billing_account_name,
    line_item_usage_account_id as sub_account_id,
    line_item_usage_account_name as sub_account_name,
    nullif(bill_invoice_id, '') as invoice_id,
    case
        when bill_billing_entity = 'AWS Marketplace' then coalesce(line_item_legal_entity, 'AWS Marketplace')
        else 'AWS'
    end as service_provider_name,
    'AWS' as host_provider_name,
    coalesce(
        case
            when x_line_class in ('nat', 'transfer', 'load_balancer') then 'Networking'
            when x_line_class in ('volume', 'snapshot') then 'Storage'
        end,
        service_category,
        'Other'
    ) as service_category,
    coalesce(nullif(product_product_name, ''), service_name, line_item_product_code, 'AWS') as service_name,
    coalesce(nullif(product_region_code, ''), nullif(product_region, ''), usage_region) as region_id,
    nullif(line_item_availability_zone, '') as availability_zone,
    case
        when line_item_resource_id = '' then null
        when not starts_with(line_item_resource_id, 'arn:') then line_item_resource_id
        when x_line_class in ('instance', 'volume') then split_part(line_item_resource_id, '/', -1)
        -- an id of EC2, which is unique without its ARN: snap-, nat-, eipalloc-
        when
            line_item_resource_id like 'arn:%:ec2:%/%-%'
            and not contains(line_item_resource_id, ':reserved-instances/')
            then split_part(line_item_resource_id, '/', -1)
        when contains(line_item_resource_id, ':s3:::') then split_part(line_item_resource_id, ':s3:::', 2)
        else line_item_resource_id
    end as resource_id,
    cast(null as varchar) as resource_name,
    nullif(product_product_family, '') as resource_type,
    case
        when line_type = 'Tax' then 'Tax'
        when line_type = 'Credit' or line_type like '%Discount' then 'Credit'
        when line_type = 'Refund' then 'Adjustment'
        when is_unused or line_type like '%Usage' or line_type = 'SavingsPlanNegation' then 'Usage'
        when line_type like '%Fee' then 'Purchase'
        else 'Adjustment'
    end as charge_category,
    case
        when line_type = 'Refund' and started_at < bill_billing_period_start_date then 'Correction'
    end as charge_class,
    case
        when line_type like '%Usage' or line_type = 'SavingsPlanNegation' then 'Usage-Based'
        when line_type in ('RIFee', 'SavingsPlanRecurringFee') then 'Recurring'
        else 'One-Time'
    end as charge_frequency,
    line_item_line_item_description as charge_description,
    commitment_id as commitment_discount_id,
    case
        when nullif(savings_plan_savings_plan_a_r_n, '') is not null then 'Savings Plan'
        when commitment_id is not null then 'Reserved Instance'
    end as commitment_discount_type,
    case
        when is_unused then 'Unused'
        when line_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Used'
    end as commitment_discount_status,
    case
        when is_unused or line_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanNegation')
            then 'Committed'
        when line_type <> 'Usage' then null
        when contains(line_item_usage_type, 'Spot') then 'Dynamic'
        else 'Standard'
    end as pricing_category,
    case
        when line_type like '%Usage' then line_item_usage_amount
    end as consumed_quantity,
    case
        when line_type like '%Usage' then nullif(pricing_unit, '')
    end as consumed_unit,
    nullif(product_sku, '') as sku_id,
    nullif(line_item_usage_type, '') as sku_meter,
    case
        when
            coalesce(cardinality(cost_category), 0) = 0
            and coalesce(cardinality(tags), 0) = 0
            and line_item_iam_principal is null
            and billed_model is null
            then resource_tags
        else map_concat(
            cost_category, aws_bare_tags(tags), resource_tags,
            aws_words(line_item_iam_principal, billed_model, token_type)
        )
    end as tags,
    x_line_class,
    case
        when x_line_class = 'instance' then coalesce(nullif(product_instance_type, ''), instance_type)
        when x_line_class = 'managed_job'
            then replace(coalesce(instance_type, nullif(product_instance_type, '')), 'ml.', '')
    end as x_instance_type,
    case
        when x_line_class = 'instance' then try_cast(product['gpu'] as decimal(18, 6))
    end as x_gpu_count,
    case
        when x_line_class = 'instance' then try_cast(product['vcpu'] as decimal(18, 6))
    end as x_cpu_count,
    case
        when x_line_class = 'instance'
            then try_cast(split_part(product['memory'], ' ', 1) as decimal(18, 6))
    end as x_memory_gib,
    case
        when x_line_class = 'transfer' then coalesce(nullif(product_from_region_code, ''), from_region)
    end as x_from_region,
    case
        when x_line_class = 'transfer' then coalesce(nullif(product_to_region_code, ''), to_region)
    end as x_to_region
from classified_lines
