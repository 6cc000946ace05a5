-- What a task of a Vertex AI pipeline read or wrote, by the custom job that ran it.
--
-- KNOWN: the custom job that the task names, where it was delivered.
-- NONE known: a task without one (imported, or taken from the cache) counts as the pipeline's.
--
-- grain: one row per run, way and artifact
-- key:   run_key, way, schema_title, uri, name, resource_name
-- owner: ml-platform

with

uses as (
    select
        run_key,
        source,
        unnest(artifacts) as artifact
    from staging.vertex__newest_jobs
)

select distinct
    coalesce(jobs.run_key, uses.run_key) as run_key,
    uses.artifact[1] as way,  -- inputs, outputs
    uses.artifact[2] as schema_title,  -- system.Dataset, google.VertexModel
    place_uri(uses.artifact[3]) as uri,
    uses.artifact[4] as name,
    uses.artifact[5] as resource_name
from uses
left join staging.vertex__newest_jobs as jobs
    on uses.source = jobs.source and uses.artifact[6] = jobs.native_id
where place_uri(uses.artifact[3]) is not null
