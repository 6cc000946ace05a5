-- What a thing of Google Cloud refers to, as its listing says.
--
-- A forwarding rule stands before machines (a target pool, a target instance), before a backend
-- service and what that names, or before a proxy or the like, behind which nobody looks: that is a
-- backend too, so that only a rule whose service or pool names nothing has none.
--
-- Known drawbacks: who may use snapshots and images of a project is a matter of policies, which are
-- not looked at. An instance group counts as a backend, be it empty.
--
-- grain:     one row per day, thing, relation and what it refers to
-- key:       charge_date, source, sub_account_id, region_id, resource_type, resource_id, relation, related_id
-- partition: charge_date
-- feeds:     listed_links
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        resource_type,
        answer
    from raw.gcp_inventory__answers
    where answer is not null
),

items as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.assets[*]')) as item
    from answers
),

-- 1 row per project, which others call by its number or its id
projects as (
    select
        charge_date,
        source,
        json_extract_string(item, '$.resource.data.projectNumber') as project_number,
        any_value(json_extract_string(item, '$.resource.data.projectId')) as project_id
    from items
    where resource_type = 'project'
    group by all
),

named as (
    select
        items.*,
        json_extract_string(items.item, '$.name') as path,
        json_extract(items.item, '$.resource.data') as facts,
        coalesce(by_number.project_id, asset_project(items.item)) as sub_account_id,
        coalesce(
            by_id.project_number,
            nullif(regexp_extract(json_extract_string(items.item, '$.ancestors[0]'), '^projects/(\d+)$', 1), '')
        ) as project_number
    from items
    left join projects as by_number
        on
            items.charge_date = by_number.charge_date
            and items.source = by_number.source
            and asset_project(items.item) = by_number.project_number
    left join projects as by_id
        on
            items.charge_date = by_id.charge_date
            and items.source = by_id.source
            and asset_project(items.item) = by_id.project_id
),

things as (
    select
        *,
        asset_region(item) as region_id,
        asset_id(resource_type, item, coalesce(project_number, sub_account_id)) as resource_id
    from named
),

-- 1 row per backend service or pool and what it names; its path is what rules name it by
behind as (
    select
        charge_date,
        source,
        regexp_extract(path, '/projects/.*$') as place,
        unnest(json_extract_string(facts, '$.backends[*].group') || json_extract_string(facts, '$.instances[*]'))
            as related
    from things
    where json_extract_string(item, '$.assetType') similar to '.*(BackendService|TargetPool)'
),

rules as (
    select
        *,
        coalesce(
            json_extract_string(facts, '$.backendService'), json_extract_string(facts, '$.target')
        ) as target
    from things
    where json_extract_string(item, '$.assetType') like '%ForwardingRule'
),

referred as (
    select
        *,
        'attached_to' as relation,
        unnest(json_extract_string(facts, '$.users[*]')) as related
    from things
    where resource_type in ('volume', 'address')
    union all by name
    select
        *,
        'made_from' as relation,
        unnest([
            json_extract_string(facts, '$.sourceDisk'),
            json_extract_string(facts, '$.sourceSnapshot'),
            json_extract_string(facts, '$.sourceImage')
        ]) as related
    from things
    where resource_type = 'volume'
    union all by name
    select
        *,
        'made_from' as relation,
        json_extract_string(facts, '$.sourceDisk') as related
    from things
    where resource_type = 'snapshot'
    union all by name
    select
        *,
        'made_from' as relation,
        unnest([
            json_extract_string(facts, '$.sourceDisk'),
            json_extract_string(facts, '$.sourceInstance')
        ]) as related
    from things
    where resource_type = 'image'
    union all by name
    select
        *,
        'maps' as relation,
        unnest([
            json_extract_string(facts, '$.sourceSnapshot'),
            json_extract_string(facts, '$.sourceImage')
        ]) as related
    from things
    where resource_type = 'image'
    union all by name
    select
        *,
        'made_from' as relation,
        json_extract_string(facts, '$.sourceMachineImage') as related
    from things
    where resource_type = 'instance'
    union all by name
    select
        *,
        'maps' as relation,
        unnest(
            json_extract_string(facts, '$.properties.disks[*].initializeParams.sourceImage')
            || json_extract_string(facts, '$.properties.disks[*].initializeParams.sourceSnapshot')
            || json_extract_string(facts, '$.properties.disks[*].source')
        ) as related
    from things
    where resource_type = 'launch_template'
    union all by name
    select
        * exclude (resource_type, resource_id),
        'backup_plan' as resource_type,
        split_part(json_extract_string(facts, '$.sourceSnapshotSchedulePolicy'), '/', -1) as resource_id,
        'keeps' as relation,
        path as related
    from things
    where resource_type = 'snapshot'
    union all by name
    select
        rules.* exclude (target),
        'backend' as relation,
        behind.related
    from rules
    inner join behind
        on
            rules.charge_date = behind.charge_date
            and rules.source = behind.source
            and regexp_extract(rules.target, '/projects/.*$') = behind.place
    union all by name
    select
        * exclude (target),
        'backend' as relation,
        target as related
    from rules
    where not regexp_matches(target, '/(backendServices|targetPools)/')
)

select distinct
    charge_date,
    source,
    sub_account_id,
    region_id,
    resource_type,
    resource_id,
    relation,
    split_part(related, '/', -1) as related_id
from referred
where resource_id <> '' and split_part(related, '/', -1) <> ''
