-- One row is about a prefix of an inventory that lies in a run's folder for its files.
--
-- The folder is found by its name, the id of a run or of a logged model, and by the place that it lies
-- in. Under a root of which all runs are known, a folder that is called as runs are and is of none is
-- an orphan, and so is one of a run or experiment that was deleted. Of a logged model that no run
-- names nothing is known: it is no orphan.
--
-- grain: one row per container and prefix
-- key:   container, prefix
-- owner: ml-platform

with

prefixes as (
    select distinct
        last_part(container) as container,
        coalesce(trim(prefix, '/'), '') as prefix
    from staging.stored_bytes
    where regexp_matches(prefix, '(^|/)([0-9a-f]{32}|m-[0-9a-f]{32})(/|$)')
),

named as (
    select
        container,
        prefix,
        regexp_extract(
            prefix, '^((?:.*?/)?)([0-9a-f]{32}|m-[0-9a-f]{32})(?:/|$)', ['parent_path', 'folder']
        ) as part
    from prefixes
),

roots as (
    select
        container_of(root_uri) as container,
        trim(regexp_replace(split_part(root_uri, '://', -1), '^[^/]*', ''), '/') as parent_path,
        bool_and(is_deleted) as is_deleted,
        bool_and(has_all_runs) as has_all_runs
    from staging.artefact_roots
    where contains(root_uri, '://')
    group by all
),

folders as (
    select
        container_of(artefacts.root_uri) as container,
        trim(regexp_replace(split_part(artefacts.root_uri, '://', -1), '^[^/]*', ''), '/') as parent_path,
        artefacts.folder,
        min(run_links.run_id) as run_id,
        bool_and(artefacts.is_deleted) as is_deleted
    from staging.artefact_folders as artefacts
    inner join attribution.run_links using (run_key)
    where contains(artefacts.root_uri, '://')
    group by all
)

select
    named.container,  -- as last_part() writes it
    named.prefix,
    named.part['parent_path'] || named.part['folder'] as key_path,  -- the folder
    folders.run_id,  -- null: of no run
    coalesce(folders.is_deleted, roots.is_deleted or not starts_with(named.part['folder'], 'm-')) as is_orphan
from named
left join folders
    on
        named.container = folders.container
        and rtrim(named.part['parent_path'], '/') = folders.parent_path
        and named.part['folder'] = folders.folder
left join roots
    on
        named.container = roots.container
        and rtrim(named.part['parent_path'], '/') = roots.parent_path
where
    folders.run_id is not null
    or roots.is_deleted
    or roots.has_all_runs and not starts_with(named.part['folder'], 'm-')
