-- What AWS was asked to list on a day, and whether it let all of it be listed.
--
-- A kind is whole where no call about it was refused: snapshots whose sharing may not be asked
-- after are listed, but not whole. Buckets are asked after once, for all regions that are enabled.
--
-- grain:     one row per day, account, region and kind of thing
-- key:       charge_date, source, sub_account_id, region_id, resource_type
-- partition: charge_date
-- feeds:     listed_scopes
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        account_id as sub_account_id,
        nullif(region_id, '') as region_id,
        resource_type,
        call,
        answer,
        error,
        observed_at
    from raw.aws_inventory__answers
),

regions as (
    select
        charge_date,
        source,
        sub_account_id,
        unnest(json_extract_string(answer, '$.Regions[*].RegionName')) as region_id
    from answers
    where call = 'ec2.describe_regions'
    union
    select
        charge_date,
        source,
        sub_account_id,
        unnest(json_extract_string(answer, '$.Buckets[*].BucketRegion')) as region_id
    from answers
    where call = 's3.list_buckets'
    union
    select
        charge_date,
        source,
        sub_account_id,
        region_id
    from answers
    where region_id is not null
),

asked as (
    select
        answers.charge_date,
        answers.source,
        answers.sub_account_id,
        regions.region_id,
        answers.resource_type,
        answers.error,
        answers.observed_at
    from answers
    inner join regions
        on
            answers.charge_date = regions.charge_date
            and answers.source = regions.source
            and answers.sub_account_id = regions.sub_account_id
            and coalesce(answers.region_id, regions.region_id) = regions.region_id
    where answers.resource_type <> 'region'
)

select
    charge_date,
    source,
    'AWS' as provider,
    sub_account_id,
    region_id,
    resource_type,
    bool_and(error is null) as is_whole,
    max(observed_at) as observed_at
from asked
group by charge_date, source, sub_account_id, region_id, resource_type
