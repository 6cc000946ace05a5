-- Data that a job of Vertex AI wrote: a dataset of a pipeline's task, or where a job puts its output.
--
-- grain: one row per run and place
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

select
    run_key,
    uri as dataset_uri,
    cast(null as varchar) as dataset_digest
from staging.vertex__artifact_uses
where way = 'outputs' and schema_title ilike '%dataset%'
union
select
    run_key,
    output_uri as dataset_uri,
    cast(null as varchar) as dataset_digest
from staging.vertex__newest_jobs
where output_uri is not null
