-- One row is about a part of what a dataset cost with everything that it was made from: NOT ADDITIVE over datasets.
--
-- A posting counts whole, once, in every dataset that would not be without it, so the same money stands in
-- several datasets: never add datasets up, nor to a leaderboard. Rows of one dataset and currency do add up,
-- to the sum of the distinct postings in its lineage. Days count up to the last on which a run made it;
-- its own storage and transfers to the newest day.
--   parts: storage and transfer (of the dataset itself at depth 0, of the data it was made from beyond),
--   production (the runs that wrote it, or those data, and what they started).
--
-- Known drawbacks: a run that wrote data counts whether or not what it wrote was still there when the data
-- were read; models made from other models are not known to be.
--
-- grain: one row per dataset, currency, part, depth and input_data
-- key:   dataset, billing_currency, part, depth, input_data
-- owner: ml-platform

select
    member as dataset,
    billing_currency,
    part,  -- storage, transfer or production
    depth,  -- 0: the dataset itself; 1: data that what made it read; 2: data that those were made from; ...
    data as input_data,  -- that was made, stored or moved: a dataset, or a location; null: the dataset itself
    path as lineage_path,  -- from the dataset back: `features <- raw` are raw data of its features; null: itself
    run_count,  -- a run that has several rows of a part is counted in one of them
    gpu_hours,  -- held; not to be added up over datasets
    effective_cost as non_additive_cost,  -- amortised; NOT to be added up over datasets
    billed_cost as non_additive_billed_cost  -- cash; NOT to be added up over datasets
from attribution.full_costs
where dimension = 'dataset'
