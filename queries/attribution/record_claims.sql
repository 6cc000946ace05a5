-- One row is about two records of runs that belong together because an id says so.
--
-- Ids are read in two places: what a record says of itself in other systems (`run_mentions`), and the
-- id of a managed job that several records carry.
--
-- A mention counts where it names one record: of several with that id (two clusters that number
-- their jobs alike, attempts of one task) the one that ran at the same time, else the one within an
-- hour of it; ids that are used again do not reach back. Two that fit are no link: nothing is guessed.
--
-- Records that name each other are of one piece of work, but for these, which were started by what
-- they name:
--   several runs of one source name the same job: it is their parent;
--   a run whose own parent names the job, too: its parent is the job, and it a part;
--   what is named is a pipeline: it is more than any of its parts.
--
-- grain: one row per two records and relation
-- key:   run_key, other_key, relation
-- owner: ml-platform

with

candidates as (
    select
        mentions.run_key,
        mentions.system,
        mentions.native_id,
        mentions.relation,
        mentions.evidence,
        named.run_key as other_key,
        case
            when
                records.started_at < greatest(named.ended_at, named.started_at + interval 1 microsecond)
                and named.started_at < greatest(records.ended_at, records.started_at + interval 1 microsecond)
                then 0
            when
                records.started_at <= named.ended_at + interval 1 hour
                and named.started_at <= records.ended_at + interval 1 hour
                then 1
            when records.started_at is null or named.started_at is null then 2
        end as distance
    from attribution.run_mentions as mentions
    inner join attribution.record_spans as records using (run_key)
    inner join attribution.record_spans as named
        on
            mentions.native_id = named.native_id
            and records.source <> named.source
            and mentions.system is not distinct from case when mentions.system is not null then named.system end
),

by_distance as (
    select
        run_key,
        system,
        native_id,
        relation,
        distance,
        min(other_key) as other_key,
        max(other_key) as last_key,
        min(evidence) as evidence
    from candidates
    where distance is not null
    group by run_key, system, native_id, relation, distance
),

mentions as (
    select
        run_key,
        relation,
        arg_min(other_key, distance) as other_key,
        arg_min(evidence, distance) as evidence
    from by_distance
    group by run_key, system, native_id, relation
    having arg_min(other_key, distance) = arg_min(last_key, distance)
),

job_records as (
    select
        records.cloud_job_arn,
        records.source,
        records.run_key,
        records.outer_rank
    from attribution.record_spans as records
    where
        records.cloud_job_arn is not null
        and not exists (
            select 1
            from attribution.source_parents as parents
            inner join attribution.record_spans as above on parents.parent_key = above.run_key
            where parents.run_key = records.run_key and above.cloud_job_arn = records.cloud_job_arn
        )
),

only_records as (
    select
        cloud_job_arn,
        source,
        min(run_key) as run_key,
        min(outer_rank) as outer_rank
    from job_records
    group by cloud_job_arn, source
    having count(*) = 1
),

-- of all records of a job, one whose source has no other stands for the job
jobs as (
    select
        cloud_job_arn,
        first(run_key order by outer_rank desc, source asc) as job_key
    from only_records
    group by cloud_job_arn
),

said as (
    select
        run_key,
        other_key,
        relation,
        'mention' as rule,
        evidence
    from mentions
    union all
    select
        job_records.run_key,
        jobs.job_key as other_key,
        'same' as relation,
        'managed_job' as rule,
        'job ' || cloud_job_arn as evidence
    from job_records
    inner join jobs using (cloud_job_arn)
    where job_records.run_key <> jobs.job_key
),

of_parts as (
    select
        said.run_key,
        said.other_key,
        said.rule,
        said.evidence,
        case
            when said.relation = 'parent' then 'parent'
            when named.is_pipeline and not records.is_pipeline then 'parent'
            when records.is_pipeline and not named.is_pipeline then 'child'
            when
                exists (
                    select 1
                    from attribution.source_parents as parents
                    inner join said as above on parents.parent_key = above.run_key
                    where parents.run_key = said.run_key and above.other_key = said.other_key
                )
                then 'parent'
            else 'same'
        end as relation,
        records.source
    from said
    inner join attribution.record_spans as records using (run_key)
    inner join attribution.record_spans as named on said.other_key = named.run_key
),

crowded as (
    select
        other_key,
        source
    from of_parts
    where relation = 'same'
    group by other_key, source
    having min(run_key) < max(run_key)
),

judged as (
    select
        of_parts.run_key,
        other_key,
        of_parts.rule,
        of_parts.evidence,
        case when of_parts.relation = 'same' and crowded.source is not null then 'parent' else of_parts.relation end
            as relation
    from of_parts
    left join crowded using (other_key, source)
),

directed as (
    select
        case relation
            when 'same' then greatest(run_key, other_key)
            when 'child' then other_key
            else run_key
        end as run_key,
        case relation
            when 'same' then least(run_key, other_key)
            when 'child' then run_key
            else other_key
        end as other_key,
        case relation when 'child' then 'parent' else relation end as relation,
        -- the end that was named, should the two turn out not to be one piece of work
        case when relation = 'same' then other_key end as named_key,
        rule,
        evidence
    from judged
)

select
    run_key,
    other_key,
    relation,  -- same, or parent: the other started this one
    min(named_key) as named_key,  -- the end that was named; null for parents
    arg_min(rule, (rule <> 'mention', evidence)) as rule,  -- mention or managed_job
    arg_min(evidence, (rule <> 'mention', evidence)) as evidence
from directed
group by run_key, other_key, relation
