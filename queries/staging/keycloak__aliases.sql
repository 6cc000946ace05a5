-- A name that Keycloak or an identity provider gives a person: user name, id, address, attribute.
--
-- A name stays its last holder's, from the day of the first listing that has it there; the first
-- holder had it always. Numbers of identity providers are left out, because other systems count too.
--
-- grain: one row per alias and span
-- feeds: aliases
-- owner: ml-platform

with

names as (
    select
        source,
        listed_on,
        user_id,
        unnest(
            list_concat(
                [username, keycloak_id, email, client_id],
                coalesce(attributes, []),
                list_transform(coalesce(identities, []), lambda one: one.user_name),
                list_transform(
                    coalesce(identities, []),
                    lambda one: case when not regexp_full_match(one.user_id, '\d*') then one.user_id end
                )
            )
        ) as alias
    from staging.keycloak__listed_users
),

holders as (
    select
        source,
        lower(alias) as alias,
        listed_on,
        min(user_id) as user_id
    from names
    where alias <> ''
    group by source, lower(alias), listed_on
),

changes as (
    select *
    from holders
    qualify user_id is distinct from lag(user_id) over (partition by source, alias order by listed_on)
)

select
    alias,
    user_id,
    case when lag(listed_on) over name_changes is not null then listed_on end as valid_from,
    lead(listed_on) over name_changes as valid_to
from changes
window name_changes as (partition by source, alias order by listed_on)
