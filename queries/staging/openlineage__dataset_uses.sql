-- A dataset that a run's events name as read or written.
--
-- The namespace says where it is: with the name, s3://bucket and a/b are s3://bucket/a/b. One that is no
-- address has a name alone. Statistics of bytes are of the run so far: the largest counts.
--
-- grain: one row per run, direction, dataset and version
-- key:   run_key, is_output, dataset_uri, dataset_name, dataset_digest
-- owner: ml-platform

with

listed as (
    select
        x_source,
        run_id,
        false as is_output,
        unnest(from_json(inputs, '["JSON"]')) as used
    from raw.openlineage__events
    union all
    select
        x_source,
        run_id,
        true as is_output,
        unnest(from_json(outputs, '["JSON"]')) as used
    from raw.openlineage__events
)

select
    run_key_of(x_source, run_id, 1) as run_key,
    is_output,
    case
        when contains(used ->> '$.namespace', '://')
            then place_uri(rtrim(used ->> '$.namespace', '/') || '/' || ltrim(used ->> '$.name', '/'))
        when used ->> '$.namespace' = 'file' then place_uri('file:///' || ltrim(used ->> '$.name', '/'))
    end as dataset_uri,
    used ->> '$.name' as dataset_name,
    used ->> '$.facets.version.datasetVersion' as dataset_digest,
    max(
        coalesce(
            try_cast(used ->> '$.inputFacets.inputStatistics.size' as bigint),
            try_cast(used ->> '$.inputFacets.dataQualityMetrics.bytes' as bigint)
        )
    ) as bytes_read
from listed
group by all
