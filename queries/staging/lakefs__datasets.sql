-- A repository of lakeFS: where its bytes lie, the address that its readers use, and its commits.
--
-- A version is a commit; all lie in the repository's storage namespace, and each has an address under the
-- repository's. Whose it is says the newest metadata of the repository. One that was deleted stays: its bytes
-- were paid for.
--
-- grain: one row per repository, version and place
-- key:   dataset, version, uri
-- feeds: datasets
-- owner: ml-platform

with

owners as (
    select
        repository,
        coalesce(nullif(metadata['owner'], ''), nullif(metadata['user'], '')) as owner_user,
        nullif(metadata['team'], '') as owner_team,
        nullif(metadata['project'], '') as project
    from raw.lakefs__repositories
    qualify row_number() over (partition by repository order by x_version_at desc, x_source asc) = 1
),

namespaces as (
    select distinct
        x_source,
        repository,
        place_uri(storage_namespace) as uri
    from raw.lakefs__repositories
),

places as (
    select
        repository,
        cast(null as varchar) as version,
        uri
    from namespaces
    union
    select
        repository,
        cast(null as varchar) as version,
        'lakefs://' || repository as uri
    from namespaces
    union
    select
        namespaces.repository,
        commits.commit_id as version,
        unnest([namespaces.uri, 'lakefs://' || namespaces.repository || '/' || commits.commit_id]) as uri
    from namespaces
    inner join raw.lakefs__commits as commits
        on namespaces.x_source = commits.x_source and namespaces.repository = commits.repository
)

select
    places.repository as dataset,
    places.version,
    places.uri,
    cast(null as varchar) as region_id,
    owners.owner_user,
    owners.owner_team,
    owners.project,
    cast(null as date) as valid_from,
    false as is_declared
from places
inner join owners using (repository)
