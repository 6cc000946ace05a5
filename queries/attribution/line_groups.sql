-- One row is about bill lines that attribution cannot tell apart, added up.
--
-- What `line_sums` added up file by file is brought together here, by the number of its kind. Sums of texts
-- that stand in one file alone, and are all of their kind, are groups already: only the others are added up.
-- That no cost is lost here shows where `postings` are held against `line_sums`.
--
-- Rows have a number that the steps of one build know them by; what their lines have in common is
-- in `line_kinds`.
--
-- grain: one row per day or hour and kind of line
-- key:   line_no
-- step:  charge_date
-- owner: ml-platform

with

variants as (
    select
        kind_no,
        source,
        billing_currency,
        len(variants) = 1 and variants[1]['file_count'] = 1 as is_alone,
        unnest(variants) as variant
    from attribution.line_kinds
),

alone as (
    select *
    from variants
    where is_alone
),

others as (
    select *
    from variants
    where not is_alone
),

groups as (
    select
        sums.charge_date,
        sums.slot,
        alone.kind_no,
        alone.source,
        alone.billing_currency,
        alone.variant['instance_type'] as instance_type,
        alone.variant['gpu_count'] as gpu_count,
        alone.variant['cpu_count'] as cpu_count,
        alone.variant['memory_gib'] as memory_gib,
        alone.variant['is_provisional'] as is_provisional,
        sums.used_hours,
        sums.effective_cost,
        sums.billed_cost,
        sums.list_cost
    from attribution.line_sums as sums
    inner join alone on sums.line_hash = alone.variant['line_hash']
    union all
    select
        sums.charge_date,
        sums.slot,
        others.kind_no,
        any_value(others.source) as source,
        any_value(others.billing_currency) as billing_currency,
        max(others.variant['instance_type']) as instance_type,
        max(others.variant['gpu_count']) as gpu_count,
        max(others.variant['cpu_count']) as cpu_count,
        max(others.variant['memory_gib']) as memory_gib,
        bool_or(others.variant['is_provisional']) as is_provisional,
        sum(sums.used_hours) as used_hours,
        sum(sums.effective_cost) as effective_cost,
        sum(sums.billed_cost) as billed_cost,
        sum(sums.list_cost) as list_cost
    from attribution.line_sums as sums
    inner join others on sums.line_hash = others.variant['line_hash']
    group by sums.charge_date, sums.slot, others.kind_no
)

select
    row_number() over () as line_no,
    charge_date,
    slot,  -- machines: the hour of the day, 0 to 23; 24 is the day as a whole
    kind_no,
    source,
    billing_currency,
    instance_type,
    gpu_count,
    cpu_count,
    memory_gib,
    is_provisional,
    used_hours,  -- of lines that cost: a negation repeats the hours it takes back
    effective_cost,
    billed_cost,
    list_cost
from groups
