-- A run of another system that a job of Ray names in its metadata.
--
-- grain: one row per job, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

select
    jobs.run_key,
    named.system,
    jobs.tags[named.tag] as native_id,
    named.relation,
    min('metadata ' || named.tag) as evidence
from staging.ray__newest_jobs as jobs
inner join staging.scheduler__mention_tags as named on list_contains(map_keys(jobs.tags), named.tag)
where jobs.tags[named.tag] <> ''
group by all
