-- One row is about an ownership rule that matches a record of a run by what the record says.
--
-- Whether the rule is in force is asked for each day (`run_days`). Rules that look at bill lines alone are
-- not here; one that looks at both has to match the line as well.
--
-- grain: one row per record of a run and rule
-- key:   run_key, rule_rank
-- owner: ml-platform

with

run_namespaces as (
    select
        run_key,
        min(namespace) as namespace
    from staging.run_places
    group by run_key
)

select
    run_key,
    rules.rule_rank,
    rules.side,  -- run or mixed
    rules.level,  -- rule, or an entry of the map of namespaces
    rules.valid_from,
    rules.valid_to
from staging.runs
left join run_namespaces using (run_key)
inner join attribution.rules
    on
        rules.side <> 'line'
        and (rules.match_run is null or runs.run_name glob rules.match_run)
        and (rules.match_experiment is null or runs.experiment glob rules.match_experiment)
        and (rules.match_namespace is null or run_namespaces.namespace glob rules.match_namespace)
        and (rules.match_source is null or runs.source glob rules.match_source)
