-- One row is about a member of a dimension, as readers know it.
--
-- grain: one row per dimension and member
-- key:   dimension, member
-- owner: ml-platform

with

spenders as (
    select
        dimension,
        member,
        max(charge_date) as last_date
    from marts.spend_daily
    group by dimension, member
),

user_teams as (
    select
        user_id,
        arg_max(team, (charge_date, team)) as team
    from attribution.user_days
    cross join marts.covered_days
    where charge_date not between newest_day + 1 and last_day
    group by user_id
),

dataset_owners as (
    select
        dataset,
        min(owner_team) as team
    from staging.datasets
    group by dataset
)

select
    spenders.dimension,
    spenders.member,
    coalesce(people.user_name, spenders.member) as member_name,
    case
        when spenders.dimension = 'team' and left(spenders.member, 1) <> '('
            then nullif(spenders.member, 'unattributed')
        else coalesce(user_teams.team, dataset_owners.team)
    end as team  -- whose page shows the member; null: nobody's
from spenders
left join attribution.people on spenders.dimension = 'user' and spenders.member = people.user_id
left join user_teams on spenders.dimension = 'user' and spenders.member = user_teams.user_id
left join dataset_owners on spenders.dimension = 'dataset' and spenders.member = dataset_owners.dataset
