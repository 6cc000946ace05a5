-- One row is about a run: what it is called, the models that it made, the datasets that it wrote.
--
-- grain: one row per run
-- key:   run_id

with

names as (
    select
        run_links.run_id,
        min(runs.run_name) as run_name
    from attribution.run_links
    inner join staging.runs using (run_key)
    group by run_links.run_id
),

models as (
    select
        run_links.run_id,
        string_agg(distinct run_models.model_name, ', ' order by run_models.model_name) as models,
        string_agg(distinct run_models.model_version, ', ' order by run_models.model_version) as model_versions
    from attribution.run_links
    inner join staging.run_models using (run_key)
    group by run_links.run_id
),

datasets as (
    select
        run_id,
        string_agg(distinct dataset, ', ' order by dataset) as datasets
    from attribution.run_datasets
    where direction = 'written' and dataset is not null
    group by run_id
)

select *
from names
left join models using (run_id)
left join datasets using (run_id)
