-- One row is about a part of what a model cost with everything that it was made from: NOT ADDITIVE over models.
--
-- A posting counts whole, once, in every model that would not be without it, so the same money stands in
-- several models: never add models up, nor to a leaderboard. Rows of one model and currency do add up,
-- to the sum of the distinct postings in its lineage. Days count up to the last on which a run made it;
-- serving to the newest day.
--   parts: training (the runs that registered it, and what they started), production (runs that made
--   data it was made from), storage and transfer of those data, serving, idle_replicas.
--
-- Known drawbacks: a run that wrote data counts whether or not what it wrote was still there when the data
-- were read; models made from other models are not known to be.
--
-- grain: one row per model, currency, part, depth and input_data
-- key:   model, billing_currency, part, depth, input_data
-- owner: ml-platform

select
    member as model,
    billing_currency,
    part,  -- training, production, storage, transfer, serving or idle_replicas
    depth,  -- 0: the model itself; 1: data that what made it read; 2: data that those were made from; ...
    data as input_data,  -- that was made, stored or moved: a dataset, or a location; null: the model itself
    path as lineage_path,  -- from the model back: `features <- raw` are raw data of its features; null: itself
    run_count,  -- a run that has several rows of a part is counted in one of them
    gpu_hours,  -- held; not to be added up over models
    effective_cost as non_additive_cost,  -- amortised; NOT to be added up over models
    billed_cost as non_additive_billed_cost  -- cash; NOT to be added up over models
from attribution.full_costs
where dimension = 'model'
