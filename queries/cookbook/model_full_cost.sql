-- Models by what they cost with all that they were made from: NOT to be added up.
--
-- A posting counts whole in every model that would not be without it, so the same money stands in several
-- rows. The leaderboard is the table that adds up. `full_cost_parts` shows how a row comes about.
--
-- grain: one row per billing currency and model
-- key:   billing_currency, model
-- param: top = 50  -- how many of each currency

select
    billing_currency,
    model,
    sum(non_additive_cost) as non_additive_cost,
    sum(case when part = 'training' then non_additive_cost else 0 end) as training_cost,
    sum(case when part = 'production' then non_additive_cost else 0 end) as production_cost,  -- of its data
    sum(case when part = 'storage' then non_additive_cost else 0 end) as storage_cost,  -- of its data
    sum(case when part = 'transfer' then non_additive_cost else 0 end) as transfer_cost,
    sum(case when part in ('serving', 'idle_replicas') then non_additive_cost else 0 end) as serving_cost,
    count(distinct input_data) as input_count,  -- data that it was made from, and that cost something
    max(depth) as depth,  -- how far back those lie
    sum(run_count) as run_count
from marts.model_full_cost
group by billing_currency, model
qualify
    row_number() over (
        partition by billing_currency order by sum(non_additive_cost) desc, model asc
    ) <= $top
order by billing_currency asc, non_additive_cost desc, model asc
