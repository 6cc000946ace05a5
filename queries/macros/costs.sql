-- Money in whole units: parts of a cost, costs of a month, and one currency in another.

-- A cost as a whole number of 1e-12, exact whatever its size.
create or replace macro whole_units(cost) as
cast(replace(cast(cast(cost as decimal(38, 12)) as varchar), '.', '') as hugeint);

-- Whole numbers of 1e-12 as money again: `whole_units` the other way round.
create or replace macro units_cost(units) as
cast(
    cast(units as decimal(26, 0)) * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
);

-- A cost times a fraction of two whole numbers, in whole units of 1e-12, cut off towards 0.
create or replace macro scaled(cost, times, over) as
cast(whole_units(cost) * cast(times as hugeint) // cast(over as hugeint) as decimal(26, 0))
* cast(0.000000000001 as decimal(12, 12));

-- What a cost of some days comes to in a month of 30.4375 days.
create or replace macro per_month(cost, days) as
scaled(cost, 304375, cast(days as hugeint) * 10000);

-- What day `day_no`, from 0, bears of a cost that is spread evenly over some days: what it comes to with that day less
-- what it came to before it, each rounded down to whole units, so that the days add up to the cost.
create or replace macro day_part(cost, day_no, days) as
units_cost(whole_units(cost) * (day_no + 1) // days - whole_units(cost) * day_no // days);

-- Whole units times a fraction of two whole numbers, rounded, halves away from 0. It runs upwards with the units,
-- so what running sums come to cuts a converted total into parts that add up to it. The numbers may have 24 digits,
-- as two rates of 12 digits need: what is left of the division is multiplied in two halves, or it would not fit.
create or replace macro converted_units(units, times, over) as
case
    when times = over then units
    else
        sign(units)
        * (
            abs(units) // over * times
            + (abs(units) % over) * (times // 1000000000000) // over * 1000000000000
            + (
                (abs(units) % over) * (times // 1000000000000) % over * 1000000000000
                + (abs(units) % over) * (times % 1000000000000)
                + over // 2
            ) // over
        )
end;

-- A cost times a fraction of two whole numbers, in whole units of 1e-12.
create or replace macro converted(cost, times, over) as
units_cost(converted_units(whole_units(cost), times, over));
