-- One row is about a version of a model that pods served on a day, or had loaded and idle.
--
-- grain: one row per model, version, idle or not, and day
-- key:   served_no
-- step:  charge_date
-- owner: ml-platform

with

models as (
    select distinct
        charge_date,
        model,
        model_version,
        is_idle
    from attribution.served_hours
)

select
    cast(row_number() over (order by charge_date, model, model_version, is_idle) as integer)
        as served_no,  -- known by it within one build
    charge_date,
    model,
    model_version,
    is_idle
from models
