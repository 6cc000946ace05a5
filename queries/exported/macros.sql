-- Arithmetic of a table of money whose margins are known: whole units of 1e-12 throughout.

-- A share, at least 0 and at most the whole: amounts that nearly cancel out would give any number.
create or replace macro within_whole(share) as
least(greatest(share, cast(0 as hugeint)), cast(100000000000000 as hugeint));

-- What stands above and to the left of a place, the place included.
create or replace macro corner(row_at, last_row, upto_row, column_at, last_column, upto_column, total) as
case
    when row_at = 0 or column_at = 0 then cast(0 as hugeint)
    when column_at = last_column then cast(upto_row as hugeint)
    when row_at = last_row then cast(upto_column as hugeint)
    when total = 0 then cast(upto_row as hugeint) + cast(upto_column as hugeint)
    else
        cast(upto_row as hugeint)
        * within_whole(cast(upto_column as hugeint) * 100000000000000 // cast(nullif(total, 0) as hugeint))
        // 100000000000000
end;

-- What stands at a place: four corners.
create or replace macro cell(
    row_at, last_row, upto_row, in_row, column_at, last_column, upto_column, in_column, total
) as
corner(row_at, last_row, upto_row, column_at, last_column, upto_column, total)
- corner(row_at - 1, last_row, upto_row - in_row, column_at, last_column, upto_column, total)
- corner(row_at, last_row, upto_row, column_at - 1, last_column, upto_column - in_column, total)
+ corner(row_at - 1, last_row, upto_row - in_row, column_at - 1, last_column, upto_column - in_column, total);

-- The share that postings up to one have of their group, in parts of 10^14: of its effective cost,
-- else of what it billed; where both are 0, the first has all.
create or replace macro part_share(row_at, last_row, upto_effective, total_effective, upto_billed, total_billed) as
case
    when row_at = 0 then cast(0 as hugeint)
    when row_at = last_row then cast(100000000000000 as hugeint)
    when total_effective <> 0
        then
            within_whole(
                cast(upto_effective as hugeint) * 100000000000000 // cast(nullif(total_effective, 0) as hugeint)
            )
    when total_billed <> 0
        then
            within_whole(
                cast(upto_billed as hugeint) * 100000000000000 // cast(nullif(total_billed, 0) as hugeint)
            )
    else cast(100000000000000 as hugeint)
end;

-- The first `share` of whole units, cut off towards 0. What is left of the division is multiplied apart: quantities
-- may be 10^16 byte-seconds, and would not fit.
create or replace macro units_upto(units, share) as
(units // 100000000000000) * cast(share as hugeint)
+ (units % 100000000000000) * cast(share as hugeint) // 100000000000000;

-- Whole units as an amount again, of any size.
create or replace macro units_amount(units) as
cast(units // 1000000000000 as decimal(38, 12)) + units_cost(units % 1000000000000);

-- The part of an amount between two such shares.
create or replace macro cut_units(amount, share_from, share_to) as
units_amount(units_upto(whole_units(amount), share_to) - units_upto(whole_units(amount), share_from));
