-- One row is about a posting, with the people and teams that it goes to by name.
--
-- The postings themselves, in which each cost stands once; a model that reads this pays for the
-- columns it reads. It is not published: a year of it would be most of the generation.
--
-- grain:  one row per posting
-- inline: yes
-- owner:  ml-platform

select
    postings.charge_date,
    postings.source,
    postings.billing_period,
    postings.billing_currency,
    postings.sub_account_id,
    postings.service_name,
    postings.region_id,
    postings.resource_id,
    postings.x_line_class as line_class,  -- instance, object_storage, transfer, ...
    postings.cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    postings.method,  -- how the cost was cut, as in `line_methods`
    postings.confidence,  -- that it was cut rightly: high or medium
    postings.run_id,
    postings.dataset,  -- stored or read
    postings.model,  -- what a serving pod serves
    coalesce(user_days.user_id, postings.user_raw) as user_id,
    postings.user_rule,  -- how the user was found: a rule of the company, run_tag, pod_label, ...
    case
        when postings.is_team_of_user then coalesce(user_days.team, postings.team)
        else postings.team
    end as team,
    team_rule_of(postings.is_team_of_user, user_days.team, postings.team_rule) as team_rule,
    postings.project,
    postings.project_rule,
    postings.is_provisional,  -- no final invoice yet
    postings.gpu_hours,
    postings.effective_cost,
    postings.billed_cost,
    postings.list_cost
from attribution.postings
left join attribution.user_days using (charge_date, user_raw)
