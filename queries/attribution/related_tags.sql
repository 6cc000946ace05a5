-- One row is about a volume or snapshot on a day, and what the tags of others say of its owner: of
-- the machine that a volume is attached to; of a snapshot's volume, then of that volume's machine.
--
-- Only machines and volumes that are on the day's bill count. Where several disagree, by multiple
-- attachments, the first by name.
--
-- grain: one row per day and kind of line
-- key:   charge_date, kind_no
-- step:  charge_date
-- owner: ml-platform

with

things as (
    select distinct
        line_groups.charge_date,
        line_groups.kind_no,
        line_kinds.x_line_class as resource_type,
        resource_key(line_kinds.resource_id) as resource_key,
        last_part(line_kinds.sub_account_id) as sub_account_id,
        line_kinds.tag_user,
        line_kinds.tag_team,
        line_kinds.tag_project
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    where line_kinds.x_line_class in ('instance', 'volume', 'snapshot') and line_kinds.resource_id is not null
),

tagged as (
    select
        charge_date,
        resource_type,
        resource_key,
        sub_account_id,
        min(tag_user) as tag_user,
        min(tag_team) as tag_team,
        min(tag_project) as tag_project
    from things
    where coalesce(tag_user, tag_team, tag_project) is not null
    group by charge_date, resource_type, resource_key, sub_account_id
),

related as (
    select
        things.charge_date,
        things.kind_no,
        things.sub_account_id,
        1 as level,
        case things.resource_type when 'volume' then 'instance' else 'volume' end as resource_type,
        links.related_key as resource_key
    from things
    inner join attribution.volume_links as links
        on
            things.charge_date = links.charge_date
            and things.resource_type = links.resource_type
            and things.resource_key = links.resource_key
            and coalesce(things.sub_account_id = links.sub_account_id, true)
),

chain as (
    select *
    from related
    union all
    select
        related.charge_date,
        related.kind_no,
        related.sub_account_id,
        2 as level,
        'instance' as resource_type,
        links.related_key as resource_key
    from related
    inner join attribution.volume_links as links
        on
            related.charge_date = links.charge_date
            and related.resource_type = links.resource_type
            and related.resource_key = links.resource_key
            and coalesce(related.sub_account_id = links.sub_account_id, true)
)

select
    chain.charge_date,
    chain.kind_no,
    arg_min(tagged.tag_user, (chain.level, tagged.tag_user)) filter (where tagged.tag_user is not null)
        as tag_user,
    arg_min(tagged.tag_team, (chain.level, tagged.tag_team)) filter (where tagged.tag_team is not null)
        as tag_team,
    arg_min(tagged.tag_project, (chain.level, tagged.tag_project)) filter (where tagged.tag_project is not null)
        as tag_project
from chain
inner join tagged
    on
        chain.charge_date = tagged.charge_date
        and chain.resource_type = tagged.resource_type
        and chain.resource_key = tagged.resource_key
        and chain.sub_account_id is not distinct from tagged.sub_account_id
group by chain.charge_date, chain.kind_no
