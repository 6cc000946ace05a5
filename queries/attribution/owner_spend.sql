-- One row is about what the postings of a day come to that have the same owners, found in the same ways.
--
-- What later models ask of all days about owners is read here: postings of a year are too many to be read by each.
--
-- grain:     one row per day, bill, owners, ways of finding them, kind of cost and service
-- partition: charge_date
-- owner:     ml-platform

select
    charge_date,
    source,
    billing_period,
    billing_currency,
    user_raw,
    user_rule,
    team,
    team_rule,
    is_team_of_user,
    project,
    project_rule,
    confidence,  -- that the cost was cut rightly
    cost_kind,
    service_name,
    sum(gpu_hours) as gpu_hours,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost
from attribution.postings
group by all
