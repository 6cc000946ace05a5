-- One row is about a model that a run was for.
--
-- REGISTERED: who registered versions was for their models, by how many versions of each there are.
-- NAMED: who registered none was for the model that its tags name (`[attribution] model_tags`). What people tag as
-- a model may be an architecture: a value counts where some run registered, or a server loaded, a model of
-- that name; under `finops.model` it always counts.
-- SWEPT: a run with neither, whose trials registered versions of one model and no other, was for that.
-- STARTED: all others were for the models of the runs nearest above them.
-- So a model pays for the trials that were thrown away and for the runs that failed, where evidence says so.
--
-- Versions are those that who is told by registered: a run's own, the one that the trials of a sweep registered if
-- they registered one alone, those of the runs nearest above. Who named a model may name one in `finops.model_version`.
-- One that nobody knows is ''.
--
-- Trials are the runs that one run of the same source started: what an orchestrator starts is no sweep.
--
-- grain: one row per run and model
-- key:   run_id, model
-- owner: ml-platform

with

registered as (
    select
        run_links.run_id,
        run_models.model_name as model,
        list_sort(list(distinct coalesce(run_models.model_version, ''))) as versions
    from staging.run_models
    inner join attribution.run_links using (run_key)
    where run_models.model_name is not null
    group by run_links.run_id, run_models.model_name
),

known_models as (
    select model_name as model
    from staging.run_models
    union
    select model_name as model
    from staging.served_hours
),

told as (
    select
        run_key,
        nullif(trim(tags['finops.model']), '') as said,
        trim(tag_of_model(tags)) as tagged,
        nullif(trim(tags['finops.model_version']), '') as version
    from staging.run_tags
),

told_models as (
    select
        told.run_key,
        coalesce(told.said, known_models.model) as model,
        told.version
    from told
    left join known_models on told.tagged = known_models.model
    where told.said is not null or known_models.model is not null
),

claims as (
    select
        run_links.run_id,
        told_models.model,
        told_models.version
    from told_models
    inner join attribution.run_links using (run_key)
    anti join registered on run_links.run_id = registered.run_id
),

named as (
    select
        run_id,
        model,
        coalesce(min(version), '') as version
    from claims
    group by run_id, model
    qualify row_number() over (partition by run_id order by model) = 1
),

known as (
    select run_id
    from registered
    union
    select run_id
    from named
),

swept as (
    select
        run_ancestors.ancestor_id as run_id,
        min(registered.model) as model,
        list_distinct(flatten(list(registered.versions))) as versions
    from attribution.run_ancestors
    inner join attribution.run_facts as trials using (run_id)
    inner join attribution.run_facts as sweeps on run_ancestors.ancestor_id = sweeps.run_id
    inner join registered on run_ancestors.run_id = registered.run_id
    where
        trials.source = sweeps.source
        and run_ancestors.ancestor_id not in (select known.run_id from known)
    group by run_ancestors.ancestor_id
    having count(distinct registered.model) = 1
),

own_models as (
    select
        run_id,
        model,
        versions,
        'registered' as rule
    from registered
    union all
    select
        run_id,
        model,
        [version] as versions,
        'named' as rule
    from named
    union all
    select
        run_id,
        model,
        case when len(versions) = 1 then versions else [''] end as versions,
        'swept' as rule
    from swept
),

above as (
    select
        run_ancestors.run_id,
        run_ancestors.ancestor_id
    from attribution.run_ancestors
    where
        run_ancestors.ancestor_id in (select own_models.run_id from own_models)
        and run_ancestors.run_id not in (select own_models.run_id from own_models)
),

nearest as (
    select above.*
    from above
    where not exists (
        select 1
        from above as nearer
        inner join attribution.run_ancestors as further
            on nearer.ancestor_id = further.run_id and above.ancestor_id = further.ancestor_id
        where nearer.run_id = above.run_id
    )
),

started as (
    select
        nearest.run_id,
        own_models.model,
        list_sort(flatten(list(own_models.versions))) as versions,
        'started' as rule
    from nearest
    inner join own_models on nearest.ancestor_id = own_models.run_id
    group by nearest.run_id, own_models.model
)

select
    run_id,
    model,
    versions,  -- one as often as it counts; '': not known
    len(versions) as weight,  -- what the run costs is cut among its models by it
    rule  -- registered, named, swept or started: how it is known
from own_models
union all
select
    run_id,
    model,
    versions,
    len(versions) as weight,
    rule
from started
