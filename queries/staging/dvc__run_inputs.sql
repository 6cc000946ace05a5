-- Data that a stage read: tracked by DVC, or at an address of its own. Code that git keeps is none.
--
-- Bytes are the data's size; a stage that reads them twice says nothing of it.
--
-- grain: one row per run, place, dataset and version
-- key:   run_key, dataset_uri, dataset_name, dataset_digest
-- feeds: run_inputs
-- owner: ml-platform

select
    runs.run_key,
    place_uri(files.place) as dataset_uri,
    case
        when contains(files.tracked_path, '://') then files.tracked_path
        else files.repository || '/' || files.tracked_path
    end as dataset_name,
    files.digest as dataset_digest,
    cast(null as varchar) as context,
    max(files.size) as bytes_read
from raw.dvc__files as files
inner join staging.dvc__stage_runs as runs
    on
        files.x_source = runs.source
        and files.repository = runs.repository
        and files.stage = runs.stage
        and files.stage_digest = runs.digest
where files.role = 'dep'
group by runs.run_key, files.place, files.tracked_path, files.repository, files.digest
