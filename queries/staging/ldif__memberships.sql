-- A person's time in a team, as the exports of a directory tell it one after the other.
--
-- A membership begins on the day of the export that first has it, and ends on that of the first export
-- without it. What the very first export has always was: nobody knows of a time before.
--
-- grain: one row per person, team and span
-- key:   user_id, team, valid_from
-- feeds: memberships
-- owner: ml-platform

with

delivered as (
    select distinct
        x_source,
        x_version_at
    from raw.ldif__people
),

exports as (
    select
        *,
        row_number() over (partition by x_source order by x_version_at) as export_no,
        lead(x_version_at) over (partition by x_source order by x_version_at) as next_at
    from delivered
),

told as (
    select distinct
        exports.x_source,
        memberships.user_id,
        memberships.team,
        exports.export_no,
        exports.x_version_at,
        exports.next_at
    from raw.ldif__memberships as memberships
    inner join exports using (x_source, x_version_at)
),

spells as (
    select
        *,
        export_no - row_number() over (partition by x_source, user_id, team order by export_no) as spell
    from told
),

spans as (
    select
        user_id,
        team,
        case when min(export_no) > 1 then cast(min(x_version_at) as date) end as valid_from,
        case when count(*) = count(next_at) then cast(max(next_at) as date) end as valid_to
    from spells
    group by x_source, user_id, team, spell
)

select
    user_id,
    team,
    valid_from,
    max(valid_to) as valid_to
from spans
where valid_from is null or valid_to is null or valid_from < valid_to
group by user_id, team, valid_from
