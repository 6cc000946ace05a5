-- One row is about what a posting takes of bill lines that are alike.
--
-- A group of lines is a table of money: its rows are postings, its columns are lines that are
-- alike, and both have a sum that is known. `corner` is what stands above and to the left of a
-- place in that table: at the edges the known sums, within it their product over the whole. A cell
-- is the difference of four corners, so every row adds up to its posting and every column to its
-- lines, to the last digit. What the postings do not know (list and contracted cost, quantities)
-- is cut by their shares, and adds up to the lines alone.
--
-- grain: one row per line and posting of a group
-- key:   line_no, part_no

with

placed_lines as (
    select
        *,
        row_number() over an_order as line_place,
        count(*) over a_group as line_places,
        sum(whole_units(effective_cost)) over an_order as upto_effective,
        sum(whole_units(billed_cost)) over an_order as upto_billed,
        sum(whole_units(effective_cost)) over a_group as total_effective,
        sum(whole_units(billed_cost)) over a_group as total_billed
    from taken_lines
    window
        a_group as (partition by charge_date, source, billing_currency, group_hash),
        an_order as (
            partition by charge_date, source, billing_currency, group_hash
            order by line_no rows between unbounded preceding and current row
        )
),

placed_parts as (
    select
        charge_date,
        source,
        billing_currency,
        group_hash,
        part_no,
        whole_units(effective_cost) as part_effective,
        whole_units(billed_cost) as part_billed,
        row_number() over an_order as part_place,
        count(*) over a_group as part_places,
        sum(whole_units(effective_cost)) over an_order as upto_part_effective,
        sum(whole_units(billed_cost)) over an_order as upto_part_billed
    from taken_parts
    window
        a_group as (partition by charge_date, source, billing_currency, group_hash),
        an_order as (
            partition by charge_date, source, billing_currency, group_hash
            order by part_no rows between unbounded preceding and current row
        )
),

cells as (
    select
        *,
        part_share(part_place, part_places, upto_part_effective, total_effective, upto_part_billed, total_billed)
            as share_to,
        part_share(
            part_place - 1, part_places, upto_part_effective - part_effective, total_effective,
            upto_part_billed - part_billed, total_billed
        ) as share_from
    from placed_lines
    inner join placed_parts using (charge_date, source, billing_currency, group_hash)
)

select
    line_no,
    part_no,
    share_to - share_from as share,  -- of the group, in parts of 10^14
    units_cost(
        cell(
            part_place, part_places, upto_part_effective, part_effective,
            line_place, line_places, upto_effective, whole_units(effective_cost), total_effective
        )
    ) as effective_cost,
    units_cost(
        cell(
            part_place, part_places, upto_part_billed, part_billed,
            line_place, line_places, upto_billed, whole_units(billed_cost), total_billed
        )
    ) as billed_cost,
    cut_units(list_cost, share_from, share_to) as list_cost,
    cut_units(contracted_cost, share_from, share_to) as contracted_cost,
    cut_units(consumed_quantity, share_from, share_to) as consumed_quantity,
    cut_units(line_count, share_from, share_to) as charges
from cells
