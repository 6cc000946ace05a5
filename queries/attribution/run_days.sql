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

matches as (
    select
        run_dates.run_id,
        run_dates.charge_date,
        min(rules.rule_rank) filter (where rules.side = 'run' and rules.level = 'rule') as rule_rank,
        min(rules.rule_rank) filter (where rules.level = 'namespace') as namespace_rank,
        list(distinct rules.rule_rank order by rules.rule_rank) filter (where rules.side = 'mixed')
            as mixed_ranks
    from attribution.run_dates
    inner join attribution.record_rules as rules
        on
            run_dates.run_key = rules.run_key
            and run_dates.charge_date >= rules.valid_from
            and run_dates.charge_date < rules.valid_to
    group by run_dates.run_id, run_dates.charge_date
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
