-- A dataset that a task of a Vertex AI pipeline read.
--
-- NONE: what jobs outside of pipelines read is in their arguments, which are not copied.
--
-- grain: one row per run and dataset
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

select distinct
    run_key,
    uri as dataset_uri,
    name as dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from staging.vertex__artifact_uses
where way = 'inputs' and schema_title ilike '%dataset%'
