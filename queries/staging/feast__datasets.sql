-- A source of Feast's feature views, and the place where it lies.
--
-- It is called after its project and its name, and a source that has no name but its address after
-- the view that reads it. The newest registry that has it counts; one that is no longer there stays,
-- for its bytes were paid for. Owner, team and project are the source's own; else those of the views that
-- read it, where all that say so agree. A table of a warehouse has its name for a place.
--
-- grain: one row per source
-- key:   dataset
-- feeds: datasets
-- owner: ml-platform

with

sources as (
    select *
    from raw.feast__sources
    qualify row_number() over (partition by project, source order by x_version_at desc, x_source asc) = 1
),

views as (
    select *
    from raw.feast__views
    qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
),

readers as (
    select
        project,
        source,
        min(view) as view_name,
        min(owner) as owner,
        count(distinct owner) as owner_count,
        min(nullif(tags['team'], '')) as team,
        count(distinct nullif(tags['team'], '')) as team_count,
        min(nullif(tags['project'], '')) as work,
        count(distinct nullif(tags['project'], '')) as work_count
    from views
    group by project, source
),

datasets as (
    select
        sources.project || '/'
        || case
            when contains(sources.source, '://') then coalesce(readers.view_name, sources.source)
            else sources.source
        end as dataset,
        sources.source,
        case
            when sources.uri is not null then place_uri(sources.uri)
            else sources.kind || '://' || sources.table_name
        end as uri,
        coalesce(nullif(sources.owner, ''), case when readers.owner_count = 1 then readers.owner end) as owner_user,
        coalesce(
            nullif(sources.tags['team'], ''), case when readers.team_count = 1 then readers.team end
        ) as owner_team,
        coalesce(
            nullif(sources.tags['project'], ''),
            case when readers.work_count = 1 then readers.work end,
            nullif(sources.project, '')
        ) as project
    from sources
    left join readers on sources.project = readers.project and sources.source = readers.source
    where sources.uri is not null or sources.table_name is not null
)

select
    dataset,
    cast(null as varchar) as version,
    uri,
    cast(null as varchar) as region_id,
    owner_user,
    owner_team,
    project,
    cast(null as date) as valid_from,
    false as is_declared
from datasets
qualify row_number() over (partition by dataset order by source) = 1
