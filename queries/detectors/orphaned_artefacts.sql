-- Files of deleted runs, and of runs that the tracker never had, in buckets that are billed.
--
-- A run that is deleted leaves its checkpoints and models where they lie. Folders are known by their
-- names under the tracker's own roots (`artefact_prefixes`); a folder of no run counts only where every run
-- that there ever was is known, and is then less sure: another tracker may use the same root.
--
-- fix:   let MLflow delete the files (`mlflow gc`), or delete the folders that `attribution.artefact_prefixes` names
-- param: min_waste = 1.0    -- a month, in the bill's currency
-- param: window_days = 30   -- of the bill
-- owner: ml-platform

with

orphans as (
    select
        container,
        key_path,
        any_value(run_id) as run_id
    from attribution.artefact_prefixes
    where is_orphan
    group by container, key_path
),

buckets as (
    select
        container,
        count_if(run_id is not null) as deleted_count,
        count_if(run_id is null) as unknown_count
    from orphans
    group by container
),

deleted_runs as (
    select
        container,
        run_id,
        true as is_deleted
    from attribution.artefact_prefixes
    where run_id is not null
    group by container, run_id
    having bool_and(is_orphan)
),

costs as (
    select
        last_part(postings.resource_id) as container,
        postings.source,
        postings.billing_currency,
        postings.region_id,
        postings.user_id,
        postings.team,
        min(postings.charge_date) as since,
        sum(postings.effective_cost) as effective_cost
    from attribution.named_postings as postings
    inner join attribution.bill_sources using (source)
    left join deleted_runs
        on last_part(postings.resource_id) = deleted_runs.container and postings.run_id = deleted_runs.run_id
    where
        (
            postings.method = 'stored_bytes' and postings.dataset = '(orphaned artefacts)'
            or postings.method = 'run_artefacts' and deleted_runs.is_deleted
        )
        and postings.line_class = 'object_storage'
        and postings.charge_date > bill_sources.newest_date - $window_days
        and postings.charge_date <= bill_sources.newest_date
    group by all
),

sizes as (
    select
        stored_shares.container,
        cast(sum(stored_shares.size_bytes) as bigint) // 1073741824 as size_gib
    from attribution.stored_shares
    left join deleted_runs using (container, run_id)
    where
        stored_shares.storage_class = ''
        and (stored_shares.dataset = '(orphaned artefacts)' or deleted_runs.is_deleted)
        and stored_shares.charge_date = (select max(newest_date) from attribution.bill_sources)
    group by stored_shares.container
)

select
    costs.container as resource_id,
    costs.container as resource_name,
    min(bill_sources.provider) as provider,
    min(costs.region_id) as region_id,
    arg_max(costs.user_id, (costs.effective_cost, costs.user_id)) as owner_user,
    arg_max(costs.team, (costs.effective_cost, costs.team)) as owner_team,
    min(costs.since) as since,
    per_month(sum(costs.effective_cost), $window_days) as monthly_waste,
    costs.billing_currency,
    case when max(buckets.unknown_count) = 0 then 'high' else 'medium' end as confidence,
    max(buckets.deleted_count) || ' folders of deleted runs and ' || max(buckets.unknown_count) || ' of no run hold '
    || coalesce(max(sizes.size_gib) || ' GiB', 'bytes of unknown number') as evidence,
    'artefacts ' || costs.container as conflict_key
from costs
inner join attribution.bill_sources using (source)
inner join buckets using (container)
left join sizes using (container)
group by costs.container, costs.billing_currency
having per_month(sum(costs.effective_cost), $window_days) >= $min_waste
