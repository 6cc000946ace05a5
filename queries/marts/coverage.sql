-- One row is about a way of finding owners, and the cost whose owner was found so.
--
-- Only cost that is to have an owner counts: not idle, shared, tax, credit and unused commitment.
--
-- How sure an owner is, `confidence` says: the less sure of how the cost was cut and how the owner was found.
--
-- grain: one row per dimension, rule, confidence and currency
-- key:   dimension, rule_id, confidence, billing_currency
-- owner: ml-platform

with

named_owners as (
    select
        owner_spend.billing_currency,
        owner_spend.user_rule,
        team_rule_of(owner_spend.is_team_of_user, user_days.team, owner_spend.team_rule) as team_rule,
        owner_spend.project_rule,
        owner_spend.confidence,
        sum(owner_spend.effective_cost) as effective_cost
    from attribution.owner_spend
    left join attribution.user_days using (charge_date, user_raw)
    group by all
),

owners as (
    select
        'user' as dimension,
        user_rule as rule_id,
        less_sure(confidence, confidence_of_owner(user_rule)) as confidence,
        billing_currency,
        effective_cost
    from named_owners
    union all
    select
        'team' as dimension,
        team_rule as rule_id,
        less_sure(confidence, confidence_of_owner(team_rule)) as confidence,
        billing_currency,
        effective_cost
    from named_owners
    union all
    select
        'project' as dimension,
        project_rule as rule_id,
        less_sure(confidence, confidence_of_owner(project_rule)) as confidence,
        billing_currency,
        effective_cost
    from named_owners
),

rules as (
    select
        dimension,
        rule_id,
        confidence,
        billing_currency,
        sum(effective_cost) as effective_cost
    from owners
    where rule_id is not null
    group by dimension, rule_id, confidence, billing_currency
)

select
    dimension,  -- user, team or project
    -- a rule of the company, run_tag, pod_label, member_of, resource_tag, ..., lost_telemetry, unattributed
    rule_id,
    confidence,  -- high, medium, or none where nobody is known
    billing_currency,
    effective_cost,
    cast(effective_cost as double)
    / nullif(cast(sum(effective_cost) over (partition by dimension, billing_currency) as double), 0)
        as cost_share  -- of all cost that is to have an owner, 0 to 1
from rules
