-- A line of an Alibaba Cloud bill, of any of its views: by instance, by billing item, or split.
--
-- Billed and effective are the pretax amount: what is owed after discounts and coupons. Vouchers and
-- stored-value cards are ways to pay it, and change nothing. List is the gross amount, contracted the
-- gross amount less the discount.
--
-- Times are of Shanghai, eight hours ahead. A line by the hour is dated in UTC. A line by the day keeps
-- its date, though its day begins at 16:00 UTC the day before: two thirds of it are of that UTC day. A
-- line without a time is the month's.
--
-- A subscription order is paid once for months: a purchase dated where its term begins, whose machine's
-- tags own what was billed, and a row of usage for each day of the term, whose effective, list and
-- contracted costs are F(i + 1) - F(i) on day i of n, F(i) = cost x i / n rounded down to 1e-12. A term is
-- what lies between the times of use; where the bill has none, its service period. What is no more than a
-- day, longer than ten years or not above 0 is not spread.
--
-- Tags come as `key:value;...` or as `key:... value:...;...`.
--
-- Flaws: an order that is given back in part is spread to its end, and the refund counts on its own day;
-- the disks of a machine are in its row, in the view by instance.
--
-- grain:     one row per line, and one per day of an order's term
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

timed_lines as (
    select
        *,
        cast(billing_cycle[:4] || '-' || right(billing_cycle, 2) || '-01' as date) as billing_month,
        shanghai_time(coalesce(usage_start_time, billing_date)) as begun_at,
        shanghai_time(usage_end_time) as over_at,
        alibaba_entries(tag) as entries,
        lower(coalesce(product_code, '')) as product,
        lower(concat_ws(' ', product_detail, billing_item, commodity_code, billing_type)) as meter,
        case
            when item = 'Refund' or item like '%退款%' or item like '%退订%' then 'Refund'
            when item = 'Adjustment' or item like '%调账%' then 'Adjustment'
            when item = 'SubscriptionOrder' or item like '%订单%' or item like '%预付%' then 'Purchase'
            else 'Usage'
        end as charge_kind
    from raw.alibaba_bill__lines
),

termed_lines as (
    select
        *,
        case
            when over_at > begun_at then over_at
            else alibaba_term_end(begun_at, service_period, service_period_unit)
        end as term_end
    from timed_lines
),

-- a day, or more of them, from a midnight of Shanghai
dated_lines as (
    select
        *,
        coalesce(begun_at, cast(billing_month as timestamp)) as local_start,
        begun_at is null
        or (
            begun_at = date_trunc('day', begun_at)
            and (over_at is null or over_at >= begun_at + interval 23 hours)
        ) as is_by_day,
        case
            when begun_at is null then cast(billing_month as timestamp) + interval 1 month
            when over_at > begun_at then over_at
            when charge_kind = 'Purchase' and term_end > begun_at then term_end
            else begun_at + interval 1 day
        end as local_end
    from termed_lines
),

classified_lines as (
    select
        *,
        local_start - interval 8 hours as started_at,
        -- a period may end a second before it does
        case
            when second(local_end) = 59 then local_end + interval 1 second
            else local_end
        end - interval 8 hours as ended_at,
        cast(local_start as date) as first_day,
        datediff('day', cast(local_start as date), cast(term_end - interval 1 second as date)) + 1 as term_days,
        case
            when product like '%support%' or meter like '%supportplan%' then 'support'
            when product like '%savingplan%' or product like '%resourcepackage%' or meter like '%savingplan%'
                then 'purchase'
            when product like 'market%' then 'saas'
            when product like '%snapshot%' or meter like '%snapshot%' or meter like '%快照%' then 'snapshot'
            when
                product in ('yundisk', 'ebs', 'nas')
                or meter like '%disk%'
                or meter like '%云盘%'
                then 'volume'
            when product = 'ecs' then 'instance'
            when product like 'oss%'
                then case
                    when
                        meter like '%outflow%'
                        or meter like '%networkout%'
                        or meter like '%traffic%'
                        or meter like '%流量%'
                        then 'transfer'
                    when meter like '%request%' or meter like '%api%' or meter like '%请求%' then 'object_requests'
                    else 'object_storage'
                end
            when product like '%nat%gateway%' or product in ('nat', 'nat_gw') then 'nat'
            when product in ('slb', 'alb', 'nlb', 'gwlb') then 'load_balancer'
            when product in ('eip', 'cbwp', 'cdn', 'dcdn', 'cbn', 'flowbag') then 'transfer'
            when product in ('csk', 'ack', 'cs') then 'control_plane'
            when product in ('learn', 'pai', 'paidlc', 'paidsw', 'paieas') or product like 'pai%' then 'managed_job'
            else 'other'
        end as line_class
    from dated_lines
),

costed_lines as (
    select
        *,
        cast(if(is_by_day, local_start, started_at) as date) as charge_date,
        coalesce(pretax_amount, 0) as billed_cost,
        coalesce(pretax_amount, 0) as effective_cost,
        pretax_gross_amount as list_cost,
        cast(pretax_gross_amount - coalesce(invoice_discount, 0) as decimal(38, 12)) as contracted_cost,
        coalesce(charge_kind = 'Purchase' and pretax_amount > 0 and term_days between 2 and 3660, false) as is_spread
    from classified_lines
),

order_days as (
    select
        *,
        unnest(range(cast(term_days as bigint))) as day_no
    from costed_lines
    where is_spread
),

cost_rows as (
    select
        *,
        false as is_part
    from costed_lines
    where not is_spread
    union all
    select
        * replace (
            cast(0 as decimal(38, 12)) as effective_cost,
            cast(0 as decimal(38, 12)) as list_cost,
            cast(0 as decimal(38, 12)) as contracted_cost
        ),
        false as is_part
    from costed_lines
    where is_spread
    union all
    select
        * exclude (day_no) replace (
            first_day + cast(day_no as integer) as charge_date,
            first_day + to_days(cast(day_no as integer)) - interval 8 hours as started_at,
            first_day + to_days(cast(day_no as integer) + 1) - interval 8 hours as ended_at,
            true as is_by_day,
            'Usage' as charge_kind,
            cast(null as decimal(38, 12)) as usage,
            cast(0 as decimal(38, 12)) as billed_cost,
            day_part(effective_cost, day_no, term_days) as effective_cost,
            day_part(list_cost, day_no, term_days) as list_cost,
            day_part(contracted_cost, day_no, term_days) as contracted_cost
        ),
        true as is_part
    from order_days
)

select
    x_source as source,
    billing_month as billing_period,
    charge_date,
    case
        when not is_by_day and ended_at = started_at + interval 1 hour and started_at = date_trunc('hour', started_at)
            then started_at
    end as charge_hour,
    started_at as charge_period_start,
    ended_at as charge_period_end,
    billed_cost,
    effective_cost,
    list_cost,
    contracted_cost,
    coalesce(currency, 'XXX') as billing_currency,  -- XXX: the file has no currency
    account_id as billing_account_id,
    account_name as billing_account_name,
    coalesce(owner_id, account_id) as sub_account_id,
    owner_account_name as sub_account_name,
    record_id as invoice_id,
    'Alibaba Cloud' as service_provider_name,
    'Alibaba Cloud' as host_provider_name,
    case
        when line_class = 'instance' then 'Compute'
        when line_class in ('volume', 'snapshot', 'object_storage', 'object_requests') then 'Storage'
        when line_class in ('nat', 'transfer', 'load_balancer') then 'Networking'
        when line_class = 'managed_job' then 'AI and Machine Learning'
        else 'Other'
    end as service_category,
    coalesce(product_name, product_code, 'Alibaba Cloud') as service_name,
    region as region_id,
    zone as availability_zone,
    coalesce(split_item_id, instance_id) as resource_id,
    coalesce(split_item_name, nick_name) as resource_name,
    product_code as resource_type,
    case charge_kind when 'Refund' then 'Usage' else charge_kind end as charge_category,
    case charge_kind when 'Refund' then 'Correction' end as charge_class,
    if(is_part or charge_kind = 'Purchase', 'One-Time', 'Usage-Based') as charge_frequency,
    concat_ws(', ', product_detail, billing_item) as charge_description,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_status,
    if(is_part or charge_kind = 'Purchase', 'Committed', 'Standard') as pricing_category,
    usage as consumed_quantity,
    usage_unit as consumed_unit,
    cast(null as varchar) as sku_id,
    billing_item as sku_meter,
    tag_map(entries) as tags,
    line_class as x_line_class,
    case when line_class = 'instance' then instance_spec end as x_instance_type,
    cast(null as decimal(18, 6)) as x_gpu_count,
    cast(null as decimal(18, 6)) as x_cpu_count,
    cast(null as decimal(18, 6)) as x_memory_gib,
    case when line_class = 'transfer' then region end as x_from_region,
    cast(null as varchar) as x_to_region
from cost_rows
