-- One row is about a source's record of a run, or of one that started it: who saw what, and why it is believed.
--
-- A run has a row `same` for each source that saw it, and a row `parent` for each record of a run
-- that an id or a place shows to have started it in another system.
--
-- grain: one row per run, record and relation
-- key:   run_id, run_key, relation
-- owner: ml-platform

with

run_parents as (
    select
        run_links.run_id,
        parents.parent_key as run_key,
        arg_min(parents.rule, (parents.confidence, parents.rule, parents.evidence)) as rule,
        arg_min(parents.evidence, (parents.confidence, parents.rule, parents.evidence)) as evidence,
        min(parents.confidence) as confidence
    from attribution.record_parents as parents
    inner join attribution.run_links on parents.run_key = run_links.run_key
    inner join attribution.run_links as above on parents.parent_key = above.run_key
    where run_links.run_id <> above.run_id
    group by run_links.run_id, parents.parent_key
)

select
    coalesce(linked.run_id, records.run_key) as run_id,
    records.run_key,  -- the record
    records.system,  -- mlflow, slurm, airflow, ...
    records.source,
    records.native_id,  -- as the source calls it
    'same' as relation,  -- same: a record of the run; parent: of one that started it
    linked.rule,  -- mention, managed_job, same_pod or same_host; null where the run has no other record
    linked.evidence,
    linked.confidence  -- high, medium or low
from attribution.record_spans as records
left join attribution.linked_records as linked using (run_key)
union all
select
    run_parents.run_id,
    run_parents.run_key,
    records.system,
    records.source,
    records.native_id,
    'parent' as relation,
    run_parents.rule,
    run_parents.evidence,
    run_parents.confidence
from run_parents
inner join attribution.record_spans as records using (run_key)
