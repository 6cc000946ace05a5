-- Datasets by what they cost with all that they were made from: NOT to be added up.
--
-- A posting counts whole in every dataset that would not be without it, so the same money stands in several
-- rows. The leaderboard is the table that adds up. `full_cost_parts` shows how a row comes about.
--
-- grain: one row per billing currency and dataset
-- key:   billing_currency, dataset
-- param: top = 50  -- how many of each currency

select
    billing_currency,
    dataset,
    sum(non_additive_cost) as non_additive_cost,
    sum(case when depth = 0 and part <> 'production' then non_additive_cost else 0 end)
        as own_cost,  -- its storage and transfers
    sum(case when depth = 0 and part = 'production' then non_additive_cost else 0 end)
        as production_cost,  -- the runs that wrote it
    sum(case when depth > 0 then non_additive_cost else 0 end) as input_cost,  -- of the data it was made from
    count(distinct input_data) as input_count,  -- data that it was made from, and that cost something
    max(depth) as depth,  -- how far back those lie
    sum(run_count) as run_count
from marts.dataset_full_cost
group by billing_currency, dataset
qualify
    row_number() over (
        partition by billing_currency order by sum(non_additive_cost) desc, dataset asc
    ) <= $top
order by billing_currency asc, non_additive_cost desc, dataset asc
