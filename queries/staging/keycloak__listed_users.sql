-- A user in one listing of a Keycloak realm, called as the newest listing that has them calls them.
--
-- Of several listings of a day the last counts. What the config says of ids and of the groups that are
-- teams is read from the newest listing, for the older ones too.
--
-- grain: one row per listing and user
-- key:   source, listing_no, keycloak_id
-- owner: ml-platform

with

told as (
    select
        *,
        cast(x_version_at as date) as listed_on
    from raw.keycloak__users
    qualify x_version_at = max(x_version_at) over (partition by x_source, cast(x_version_at as date))
),

listings as (
    select
        x_source,
        listed_on,
        any_value(id_from) as id_from,
        any_value(team_patterns) as team_patterns
    from told
    group by x_source, listed_on
),

numbered as (
    select
        x_source,
        listed_on,
        row_number() over (partition by x_source order by listed_on) as listing_no,
        lead(listed_on) over (partition by x_source order by listed_on) as next_listed_on,
        last_value(id_from) over whole as id_from,
        last_value(team_patterns) over whole as team_patterns
    from listings
    window whole as (
        partition by x_source order by listed_on rows between unbounded preceding and unbounded following
    )
)

select
    numbered.x_source as source,
    numbered.listing_no,
    numbered.listed_on,
    numbered.next_listed_on,  -- null: the newest listing
    told.id as keycloak_id,
    last_value(
        coalesce(
            case numbered.id_from when 'id' then told.id when 'email' then nullif(told.email, '') end,
            told.username
        )
    ) over user_listings as user_id,
    nullif(trim(concat_ws(' ', told.first_name, told.last_name)), '') as user_name,
    told.username,
    nullif(told.email, '') as email,
    told.is_enabled,
    coalesce(
        nullif(told.service_account_client_id, ''),
        nullif(regexp_extract(told.username, '^service-account-(.+)$', 1), '')
    ) as client_id,  -- of a service account
    from_json(told.attributes, '["VARCHAR"]') as attributes,
    from_json(told.identities, '[{"user_id": "VARCHAR", "user_name": "VARCHAR"}]') as identities,
    from_json(told.group_paths, '["VARCHAR"]') as group_paths,
    from_json(numbered.team_patterns, '["VARCHAR"]') as team_patterns
from told
inner join numbered using (x_source, listed_on)
window user_listings as (
    partition by numbered.x_source, told.id order by numbered.listing_no
    rows between unbounded preceding and unbounded following
)
