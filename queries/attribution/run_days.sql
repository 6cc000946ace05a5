-- One row is about a run on a day: whose it is, as far as the run itself says.
--
-- Everything that attribution reads of runs, apart from where they ran (`run_stays`), is here, so
-- that a day is attributed anew only where one of these columns changed. People are kept as the
-- source names them: who that is, and in which team, is resolved in the marts, so that a new
-- colleague or a change of team re-attributes nothing. A rule matches a run where it matches one of
-- its records.
--
-- grain:  one row per run and day
-- key:    run_id, charge_date
-- hashed: charge_date
-- owner:  ml-platform

with

run_namespaces as (
    select
        run_key,
        min(namespace) as namespace
    from staging.run_places
    group by run_key
),

days as (
    select
        run_id,
        charge_date,
        source,
        run_name,
        experiment,
        namespace
    from attribution.run_dates
    inner join staging.runs using (run_key)
    left join run_namespaces using (run_key)
),

matches as (
    select
        days.run_id,
        days.charge_date,
        min(rules.rule_rank) filter (where rules.side = 'run' and rules.level = 'rule') as rule_rank,
        min(rules.rule_rank) filter (where rules.level = 'namespace') as namespace_rank,
        list(distinct rules.rule_rank order by rules.rule_rank) filter (where rules.side = 'mixed')
            as mixed_ranks
    from days
    inner join attribution.rules
        on
            rules.side <> 'line'
            and days.charge_date >= rules.valid_from
            and days.charge_date < rules.valid_to
            and (rules.match_run is null or days.run_name glob rules.match_run)
            and (rules.match_experiment is null or days.experiment glob rules.match_experiment)
            and (rules.match_namespace is null or days.namespace glob rules.match_namespace)
            and (rules.match_source is null or days.source glob rules.match_source)
    group by days.run_id, days.charge_date
)

select
    run_id,
    charge_date,
    native_ids,  -- of all records: pod labels name runs so
    attempt,
    cloud_job_arn,
    gpu_count,
    run_us,  -- microseconds of the day
    user_raw,  -- as a source names the person
    team_raw,
    project_raw,
    rule_rank,  -- the first ownership rule that matches the run
    namespace_rank,  -- the entry of the map of namespaces
    mixed_ranks  -- rules that match if the bill line matches too
from attribution.run_spells
inner join attribution.run_facts using (run_id)
left join matches using (run_id, charge_date)
