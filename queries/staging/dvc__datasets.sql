-- A version of data that DVC tracks, and where its remote keeps it.
--
-- A dataset is called after its repository and its path in it. All versions that any night has seen
-- count; whose they are says the newest. What is in git, or in no remote, is no dataset, and neither
-- is a model. Data with the same bytes lie in one place, which is the first's by name.
--
-- Files lie under their hashes, and those of a folder under their own, so that no inventory tells
-- whose they are: all that a remote keeps by hash is a dataset called after the repository. Where several
-- repositories share it, it is nobody's.
--
-- grain: one row per dataset, version and place, and one per repository and remote
-- key:   dataset, version, uri
-- feeds: datasets
-- owner: ml-platform

with

outs as (
    select
        repository,
        case when contains(path, '://') then path else repository || '/' || path end as dataset,
        digest,
        place_uri(place) as uri,
        meta,
        x_version_at,
        x_source
    from raw.dvc__files
    where role = 'out' and place is not null and digest is not null and artifact_type is distinct from 'model'
),

owners as (
    select
        dataset,
        coalesce(nullif(meta['owner'], ''), nullif(meta['user'], '')) as owner_user,
        nullif(meta['team'], '') as owner_team,
        nullif(meta['project'], '') as project
    from outs
    qualify row_number() over (partition by dataset order by x_version_at desc, x_source asc, digest asc) = 1
),

kept_by_hash as (
    select
        repository,
        regexp_extract(uri, '^(.*/files/md5)/[^/]+/[^/]+$', 1) as uri
    from outs
),

stores as (
    select
        min(repository) as dataset,
        uri
    from kept_by_hash
    where uri <> ''
    group by uri
    having count(distinct repository) = 1
)

select distinct
    outs.dataset,
    outs.digest as version,
    outs.uri,
    cast(null as varchar) as region_id,
    owners.owner_user,
    owners.owner_team,
    owners.project,
    cast(null as date) as valid_from,
    false as is_declared
from outs
inner join owners using (dataset)
union all
select
    dataset,
    cast(null as varchar) as version,
    uri,
    cast(null as varchar) as region_id,
    cast(null as varchar) as owner_user,
    cast(null as varchar) as owner_team,
    cast(null as varchar) as project,
    cast(null as date) as valid_from,
    false as is_declared
from stores
