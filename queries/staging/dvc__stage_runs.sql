-- A stage of a pipeline in each state that DVC has locked: what it read, with what it was run, what it wrote.
--
-- grain: one row per stage and state
-- key:   run_key
-- owner: ml-platform

with

told as (
    select
        *,
        repository || '/' || stage || '@' || digest as native_id
    from raw.dvc__stages
)

select
    sha256(concat_ws('|', x_source, native_id, '1')) as run_key,
    x_source as source,
    native_id,
    repository,
    stage,
    digest,
    arg_max(tags, row(x_version_at, x_unit)) as tags,  -- a metrics file can be told of later than its stage
    min(x_version_at) as seen_at  -- the first extraction that had it
from told
group by x_source, native_id, repository, stage, digest
