-- A model that a task of a Vertex AI pipeline registered, with its version.
--
-- grain: one row per run and version
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

select distinct
    run_key,
    coalesce(nullif(name, ''), split_part(split_part(resource_name, '/', -1), '@', 1)) as model_name,
    nullif(split_part(split_part(resource_name, '/', -1), '@', 2), '') as model_version
from staging.vertex__artifact_uses
where way = 'outputs' and schema_title = 'google.VertexModel' and resource_name like '%/models/%'
