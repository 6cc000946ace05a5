-- One row is about a step by which a team's cost of a month comes to be: its own, then what each rule loads onto it.
--
-- Rules (`[[shared_costs]]`) are worked off in their order, each on what the ones before
-- have left: a rule empties its members into the teams, by what each costs so far (proportional), in
-- equal parts (even) or by given shares (fixed). A member that a rule has emptied gets nothing more,
-- nor does '(idle)' or any other that is nobody's team. A team that a rule names takes its part in months in which
-- it costs nothing of its own, too, where it ever cost anything. Where nobody could take it, cost stays.
--
-- All steps of a team are its fully loaded cost; all rows of a month are the bill. Without rules
-- there is the first step alone.
--
-- grain:     one row per month, currency, member and step
-- key:       charge_month, billing_currency, dimension, member, step_no, step
-- conserves: effective_cost of attribution.team_months by charge_month, billing_currency
-- owner:     ml-platform

with recursive

rules as (
    select
        position,
        min(rule) as rule,
        min(split) as split,
        list(distinct from_member) as from_members,
        list(distinct to_member) filter (where to_member is not null) as to_members,
        map_from_entries(list(distinct row(to_member, share)) filter (where share is not null)) as shares
    from raw.shared_costs
    group by position
),

emptied as (
    select
        from_member as member,
        min(position) as position
    from raw.shared_costs
    group by from_member
),

named_teams as (
    select distinct
        team_months.charge_month,
        team_months.billing_currency,
        shared_costs.to_member as member
    from attribution.team_months
    cross join raw.shared_costs
    semi join attribution.team_months as known on shared_costs.to_member = known.member
),

own_costs as (
    select
        charge_month,
        billing_currency,
        member,
        effective_cost as cost
    from attribution.team_months
    union all
    select
        charge_month,
        billing_currency,
        member,
        0 as cost
    from named_teams
    anti join attribution.team_months using (charge_month, billing_currency, member)
),

steps as (
    select
        0 as position,
        charge_month,
        billing_currency,
        member,
        cast(cost as decimal(38, 12)) as cost
    from own_costs
    union all
    (
        with

        weighed as (
            select
                rules.position,
                rules.split,
                steps.charge_month,
                steps.billing_currency,
                steps.member,
                steps.cost,
                list_contains(rules.from_members, steps.member) as is_emptied,
                case
                    when starts_with(steps.member, '(') or steps.member = 'unattributed' then 0
                    when emptied.position <= rules.position then 0
                    when not coalesce(list_contains(rules.to_members, steps.member), true) then 0
                    when rules.split = 'even' then 1
                    when rules.split = 'fixed' then coalesce(rules.shares[steps.member], 0)
                    else greatest(steps.cost, 0)
                end as weight
            from steps
            inner join rules on steps.position + 1 = rules.position
            left join emptied on steps.member = emptied.member
        ),

        summed as (
            select
                *,
                sum(weight) over (
                    partition by charge_month, billing_currency order by member
                    rows between unbounded preceding and current row
                ) as upto,
                case when split = 'fixed' then 1 else sum(weight) over (partition by charge_month, billing_currency) end
                    as total
            from weighed
        ),

        flows as (
            select
                givers.position,
                givers.charge_month,
                givers.billing_currency,
                givers.member as from_member,
                takers.member as to_member,
                cut(
                    givers.cost,
                    share_of(takers.upto - takers.weight, takers.total),
                    share_of(takers.upto, takers.total)
                ) as cost
            from summed as givers
            inner join summed as takers
                on
                    givers.charge_month = takers.charge_month
                    and givers.billing_currency = takers.billing_currency
            where givers.is_emptied and takers.weight > 0
        ),

        moves as (
            select
                position,
                charge_month,
                billing_currency,
                member,
                cost
            from weighed
            union all
            select
                position,
                charge_month,
                billing_currency,
                from_member as member,
                -cost as cost
            from flows
            union all
            select
                position,
                charge_month,
                billing_currency,
                to_member as member,
                cost
            from flows
        )

        select
            position,
            charge_month,
            billing_currency,
            member,
            cast(sum(cost) as decimal(38, 12)) as cost
        from moves
        group by position, charge_month, billing_currency, member
    )
),

changes as (
    select
        *,
        cost - lag(cost, 1, 0) over (partition by charge_month, billing_currency, member order by position)
            as effective_cost
    from steps
)

select
    changes.charge_month,  -- first day of the month of use
    changes.billing_currency,
    'team' as dimension,
    changes.member,  -- as on the leaderboard of teams
    changes.position as step_no,  -- 0: its own cost; from 1: the rules in their order
    coalesce(rules.rule, 'own cost') as step,
    cast(changes.effective_cost as decimal(38, 12)) as effective_cost  -- what the step adds, or takes away
from changes
left join rules on changes.position = rules.position
where changes.position = 0 or changes.effective_cost <> 0
