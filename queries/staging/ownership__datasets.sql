-- A registered dataset version, and where it lies.
--
-- The newest file alone counts. `s3a` and `s3n` are written `s3`, `gcs` is written `gs`; scheme and
-- host are compared in lower case.
--
-- grain: one row per dataset version and place
-- feeds: datasets
-- owner: ml-platform

select
    dataset,
    version,
    case lower(split_part(uri, '://', 1))
        when 's3a' then 's3'
        when 's3n' then 's3'
        when 'gcs' then 'gs'
        else lower(split_part(uri, '://', 1))
    end
    || '://' || lower(split_part(split_part(uri, '://', 2), '/', 1))
    || rtrim(substr(split_part(uri, '://', 2), length(split_part(split_part(uri, '://', 2), '/', 1)) + 1), '/')
        as uri,
    region_id,
    owner_user,
    owner_team,
    project,
    cast(valid_from as date) as valid_from,
    true as is_declared
from raw.ownership__datasets
qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
