-- One row is about what transfers cost a run on a day because it read a dataset in another region.
--
-- Few postings are such, and detectors look for them in a month or more of them.
--
-- grain:     one row per day, bill, currency, dataset, regions, run and owners
-- partition: charge_date
-- owner:     ml-platform

select
    charge_date,
    source,
    billing_currency,
    dataset,
    x_from_region as from_region,
    x_to_region as to_region,
    run_id,
    user_raw,
    team,
    is_team_of_user,  -- the marts replace `team` by the user's, where it is known
    sum(effective_cost) as effective_cost
from attribution.postings
where
    method = 'reads'
    and run_id is not null
    and dataset not in ('(unregistered)', '(orphaned artefacts)', '(unattributed egress)')
group by all
