-- Shared arithmetic. A share is a double between 0 and 1 on a grid of 1e-14; every step that makes
-- one is monotone, so shares that run upwards cut parts that never change sign. Only IEEE division,
-- product and floor are used, which every engine computes alike.

-- The share that `upto` is of `total`, on the grid; exactly 1 where they are equal.
create or replace macro share_of(upto, total) as
least(floor(cast(upto as double) / cast(total as double) * 1e14 + 0.5) / 1e14, 1.0);

-- A share that was summed from doubles, put on the grid; what is 1 but for rounding becomes 1.
create or replace macro to_share(fraction) as
least(floor(fraction * 1e14 + 0.5) / 1e14, 1.0);

-- The share that lies at a fraction of the way from one share to another, ends included.
create or replace macro share_between(share_from, share_to, fraction) as
case
    when fraction = 0 then share_from
    when fraction = 1 then share_to
    else least(greatest(to_share(share_from + (share_to - share_from) * fraction), share_from), share_to)
end;

-- A cost below 1,000 as a whole number of 1e-12, exact in a double; null for a larger one. (It must
-- not fail for those: engines may compute it before they look at the case that it stands in.)
create or replace macro cost_units(cost) as
round(cast(try_cast(cost as decimal(15, 12)) as double) * 1e12);

-- The first `share` of a cost of any size up to 10^11, in exact decimals: slow, for few rows.
create or replace macro large_cost_upto(cost, share) as
cast(cast(cost as decimal(23, 12)) * cast(share as decimal(15, 14)) as decimal(38, 12));

-- The part of a cost between two shares of it, in whole units of 1e-12. Parts that meet add up to
-- the cost, because each end is rounded once, in the same way for both its neighbours.
create or replace macro cut(cost, share_from, share_to) as
case
    when share_from = 0 and share_to = 1 then cost
    when cost between -999 and 999
        then
            cast(
                floor(cost_units(cost) * share_to + 0.5) - floor(cost_units(cost) * share_from + 0.5)
                as decimal(15, 0)
            ) * cast(0.000000000001 as decimal(12, 12))
    else large_cost_upto(cost, share_to) - large_cost_upto(cost, share_from)
end;

-- The first upto/total of a whole amount that is no money (microseconds, bytes), rounded down.
create or replace macro whole_upto(amount, upto, total) as
cast(floor(cast(amount as double) * (cast(upto as double) / cast(total as double))) as bigint);

-- Units held for some seconds (GPUs, cores, GiB), in whole units x microseconds.
create or replace macro unit_us(units, seconds) as
cast(round(cast(units as double) * 1e6) as bigint) * cast(seconds as bigint);
