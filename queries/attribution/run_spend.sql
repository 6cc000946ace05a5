-- One row is about what a run cost in all, and who owned that.
--
-- Most runs have the same owners in all their postings. Of others each owner is taken from the newest posting
-- that has one, of several on a day from the dearest; they are the same in all currencies.
--
-- grain: one row per run and currency it was billed in
-- owner: ml-platform

with

owner_sums as (
    select
        run_id,
        billing_currency,
        user_id,
        team,
        project,
        bool_or(is_provisional) as is_provisional,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.named_postings
    where run_id is not null
    group by all
),

mixed_runs as (
    select run_id
    from owner_sums
    group by run_id
    having count(*) > 1
),

mixed_owners as (
    select
        run_id,
        arg_max(user_id, (charge_date, effective_cost, user_id)) as user_id,
        arg_max(team, (charge_date, effective_cost, team)) as team,
        arg_max(project, (charge_date, effective_cost, project)) as project
    from attribution.named_postings
    semi join mixed_runs using (run_id)
    group by run_id
),

mixed_sums as (
    select
        run_id,
        billing_currency,
        bool_or(is_provisional) as is_provisional,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from owner_sums
    semi join mixed_runs using (run_id)
    group by run_id, billing_currency
)

select
    run_id,
    billing_currency,
    user_id,  -- null: no posting of it names anybody
    team,
    project,
    is_provisional,  -- some of it has no final invoice yet
    gpu_hours,
    effective_cost,
    billed_cost
from owner_sums
anti join mixed_runs using (run_id)
union all
select
    mixed_sums.run_id,
    mixed_sums.billing_currency,
    mixed_owners.user_id,
    mixed_owners.team,
    mixed_owners.project,
    mixed_sums.is_provisional,
    mixed_sums.gpu_hours,
    mixed_sums.effective_cost,
    mixed_sums.billed_cost
from mixed_sums
inner join mixed_owners using (run_id)
