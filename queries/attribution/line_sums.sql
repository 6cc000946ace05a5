-- One row is about bill lines that differ in nothing that attribution looks at, added up as staged.
--
-- A month of 10 M lines has 0.85 M of these rows. They are made once for each file of lines, when
-- it is staged, and kept beside it: a night that attributes a month again, because an owner or a
-- run has changed, does not read the month's lines. `mlspend explain` still does.
--
-- A machine's lines are kept by the hour where the bill has hours, else by the day, which is slot
-- 24: a longer charge says nothing about who held the machine, and is owned, not shared.
--
-- Lines are brought together by a hash of their texts, 64 bits: comparing a dozen texts for every
-- line takes nearly twice as long. Two sets of texts with one hash would be taken for one and the
-- cost of both would go to one's owners: a chance of 1 in 10^9 where a file has 200,000 of them.
-- Sums by source, billing period and currency are proven all the same. What the texts are is in `line_texts`.
-- `x_row` is a line's place in its file, `x_tags` its tags as the file has them.
--
-- grain:     one row per file of lines, day or hour, and set of texts that attribution reads
-- beside:    cost_lines
-- conserves: effective_cost, billed_cost, list_cost of staging.cost_lines
--            by charge_date, source, billing_period, billing_currency
-- owner:     ml-platform

with

sums as (
    select
        charge_date,
        cast(
            case
                when x_line_class <> 'instance' or resource_id is null then null
                when charge_hour is not null then hour(charge_hour)
                when charge_period_end <= charge_period_start + interval 1 day then 24
            end as tinyint
        ) as slot,
        hash(
            source, billing_period, billing_currency, sub_account_id, service_name, region_id, resource_id,
            x_line_class, x_from_region, x_to_region, x_tags, x_instance_type, x_gpu_count, x_cpu_count,
            x_memory_gib, invoice_id,
            case when x_line_class = 'object_storage' then sku_meter end
        ) as line_hash,
        min(x_row) as first_row,
        sum(
            case
                when effective_cost > 0 and consumed_unit in ('Hours', 'Hrs', 'hours', 'hrs', 'Hour', 'h')
                    then consumed_quantity
            end
        ) as used_hours,
        -- a gigabyte of AWS is 2^30 bytes; lines that cost nothing are the other side, or free
        sum(
            case
                when x_line_class in ('transfer', 'nat') and (effective_cost > 0 or billed_cost > 0)
                    then
                        cast(
                            cast(consumed_quantity as double) * case
                                when lower(consumed_unit) in ('byte', 'bytes') then 1
                                when lower(consumed_unit) in ('mb', 'mib', 'mebibyte') then 1048576
                                when lower(consumed_unit) in ('gb', 'gib', 'gibibyte', 'gigabytes') then 1073741824
                                when lower(consumed_unit) in ('tb', 'tib', 'tebibyte') then 1099511627776
                            end
                            as bigint  -- whole bytes: a sum of doubles would depend on the order of lines
                        )
            end
        ) as transferred_bytes,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost,
        sum(list_cost) as list_cost
    from staging.cost_lines
    group by all
),

-- the texts are read of one line of each set
examples as (
    select
        line_hash,
        min(first_row) as x_row
    from sums
    group by line_hash
),

owners as (
    select
        examples.line_hash,
        examples.x_row,
        lines.source,
        lines.billing_period,
        lines.billing_currency
    from staging.cost_lines as lines
    inner join examples on lines.x_row = examples.x_row
)

select
    sums.charge_date,
    sums.slot,  -- machines: the hour of the day, 0 to 23; 24 is the day as a whole
    sums.line_hash,  -- of the texts
    case when sums.first_row = owners.x_row then sums.first_row end as example_row,  -- the first line with these texts
    owners.source,
    owners.billing_period,
    owners.billing_currency,
    sums.used_hours,  -- of lines that cost: a negation repeats the hours it takes back
    sums.transferred_bytes,  -- null where the bill does not say
    sums.effective_cost,
    sums.billed_cost,
    sums.list_cost
from sums
inner join owners using (line_hash)
