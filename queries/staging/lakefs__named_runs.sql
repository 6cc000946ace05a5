-- A commit whose metadata name a run of another system.
--
-- grain: one row per commit
-- key:   run_key
-- owner: ml-platform

with

known as (
    select list(tags) as tag_sets
    from seeds.run_tags
),

commits as (
    select *
    from raw.lakefs__commits
    where cardinality(metadata) > 0
    qualify row_number() over (partition by x_source, repository, commit_id order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(commits.x_source, commits.repository || '/' || commits.commit_id, 1) as run_key,
    commits.x_source as source,
    commits.repository,
    commits.commit_id,
    commits.committer,
    commits.creation_date,
    commits.metadata
from commits
cross join known
where names_runs(commits.metadata, known.tag_sets)
