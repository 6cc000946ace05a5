-- One row is about a part of a day's bill, whom it is attributed to and by which rules.
--
-- The postings without resources and pods, which stay in the lake; `mlspend explain` reads those.
-- One table, each cost in it once: sum what you like, within one currency.
--
-- grain: one row per day, bill, service, region, kind of cost, method, run, dataset, owner and rule
-- conserves: effective_cost, billed_cost of attribution.postings by charge_date, source, billing_currency
-- owner: ml-platform

select
    postings.charge_date,
    postings.source,
    postings.billing_period,
    postings.billing_currency,
    postings.sub_account_id,
    postings.service_name,
    postings.region_id,
    postings.x_line_class as line_class,  -- instance, object_storage, transfer, ...
    postings.cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    postings.method,  -- by_kind, machine_share, managed_job, reads, stored_bytes or owner
    postings.run_id,
    postings.dataset,  -- stored or read
    postings.model,  -- what a serving pod serves
    coalesce(user_days.user_id, postings.user_raw) as user_id,
    postings.user_rule,  -- how the user was found: a rule of the company, run_tag, pod_label, ...
    case
        when postings.is_team_of_user then coalesce(user_days.team, postings.team)
        else postings.team
    end as team,
    case
        when postings.is_team_of_user and user_days.team is not null then 'member_of'
        else postings.team_rule
    end as team_rule,
    postings.project,
    postings.project_rule,
    bool_or(postings.is_provisional) as is_provisional,  -- no final invoice yet
    sum(postings.gpu_hours) as gpu_hours,
    sum(postings.effective_cost) as effective_cost,
    sum(postings.billed_cost) as billed_cost,
    sum(postings.list_cost) as list_cost
from attribution.postings
left join attribution.user_days using (charge_date, user_raw)
group by all
