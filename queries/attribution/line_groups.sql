-- One row is about bill lines that attribution cannot tell apart, added up.
--
-- What `line_sums` added up file by file is brought together here, by the number of its kind. That no cost is
-- lost by it shows where `postings` are held against `line_sums`.
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
        unnest(variants) as variant
    from attribution.line_kinds
),

groups as (
    select
        sums.charge_date,
        sums.slot,
        variants.kind_no,
        max(variants.variant['instance_type']) as instance_type,
        max(variants.variant['gpu_count']) as gpu_count,
        max(variants.variant['cpu_count']) as cpu_count,
        max(variants.variant['memory_gib']) as memory_gib,
        bool_or(variants.variant['is_provisional']) as is_provisional,
        sum(sums.used_hours) as used_hours,
        sum(sums.effective_cost) as effective_cost,
        sum(sums.billed_cost) as billed_cost,
        sum(sums.list_cost) as list_cost
    from attribution.line_sums as sums
    inner join variants on sums.line_hash = variants.variant['line_hash']
    group by sums.charge_date, sums.slot, variants.kind_no
)

select
    row_number() over () as line_no,
    charge_date,
    slot,  -- machines: the hour of the day, 0 to 23; 24 is the day as a whole
    kind_no,
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
