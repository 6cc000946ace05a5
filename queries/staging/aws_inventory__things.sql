-- A thing of an AWS account, on the day that it was listed.
--
-- A machine that AWS calls stopped costs nothing but its disks: `deallocated`. When it stopped stands
-- in the reason of its last transition. A machine's launch time is that of its last start, so it was
-- made when its first disk or network card was attached. AWS does not say since when a volume or an
-- address is unattached; our own listings do (`inventory__things`).
--
-- Protected is what AWS Backup or Data Lifecycle Manager has tagged or keeps, what a service of AWS
-- manages, and an image that may not be deregistered.
--
-- grain:     one row per day and thing
-- key:       charge_date, source, sub_account_id, region_id, resource_type, resource_id
-- partition: charge_date
-- feeds:     listed_things
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        account_id as sub_account_id,
        region_id,
        resource_type,
        call,
        asked,
        answer,
        observed_at
    from raw.aws_inventory__answers
    where answer is not null
),

items as (
    select
        *,
        unnest(json_extract(answer, '$.Reservations[*].Instances[*]')) as item
    from answers
    where call = 'ec2.describe_instances'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Volumes[*]')) as item
    from answers
    where call = 'ec2.describe_volumes'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Snapshots[*]')) as item
    from answers
    where call = 'ec2.describe_snapshots'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Images[*]')) as item
    from answers
    where call = 'ec2.describe_images'
    union all
    select
        *,
        unnest(json_extract(answer, '$.LaunchTemplates[*]')) as item
    from answers
    where call = 'ec2.describe_launch_templates'
    union all
    select
        *,
        unnest(json_extract(answer, '$.LaunchConfigurations[*]')) as item
    from answers
    where call = 'autoscaling.describe_launch_configurations'
    union all
    select
        *,
        unnest(json_extract(answer, '$.BackupPlansList[*]')) as item
    from answers
    where call = 'backup.list_backup_plans'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Policies[*]')) as item
    from answers
    where call = 'dlm.get_lifecycle_policies'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Addresses[*]')) as item
    from answers
    where call = 'ec2.describe_addresses'
    union all
    select
        *,
        unnest(json_extract(answer, '$.LoadBalancers[*]')) as item
    from answers
    where call = 'elbv2.describe_load_balancers'
    union all
    select
        *,
        unnest(json_extract(answer, '$.LoadBalancerDescriptions[*]')) as item
    from answers
    where call = 'elb.describe_load_balancers'
    union all
    select
        *,
        unnest(json_extract(answer, '$.NatGateways[*]')) as item
    from answers
    where call = 'ec2.describe_nat_gateways'
    union all
    select
        *,
        unnest(json_extract(answer, '$.Buckets[*]')) as item
    from answers
    where call = 's3.list_buckets'
),

described as (
    select
        * exclude (answer, asked),
        json_extract_string(
            item,
            case call
                when 'ec2.describe_instances' then '$.State.Name'
                when 'elbv2.describe_load_balancers' then '$.State.Code'
                else '$.State'
            end
        ) as state_raw,
        case call
            when 'ec2.describe_instances' then json_extract_string(item, '$.InstanceId')
            when 'ec2.describe_volumes' then json_extract_string(item, '$.VolumeId')
            when 'ec2.describe_snapshots' then json_extract_string(item, '$.SnapshotId')
            when 'ec2.describe_images' then json_extract_string(item, '$.ImageId')
            when 'ec2.describe_launch_templates' then json_extract_string(item, '$.LaunchTemplateId')
            when 'autoscaling.describe_launch_configurations'
                then json_extract_string(item, '$.LaunchConfigurationARN')
            when 'backup.list_backup_plans' then json_extract_string(item, '$.BackupPlanId')
            when 'dlm.get_lifecycle_policies' then json_extract_string(item, '$.PolicyId')
            when 'ec2.describe_addresses'
                then coalesce(json_extract_string(item, '$.AllocationId'), json_extract_string(item, '$.PublicIp'))
            when 'elbv2.describe_load_balancers' then json_extract_string(item, '$.LoadBalancerArn')
            when 'elb.describe_load_balancers'
                then concat_ws(
                    ':', 'arn', aws_partition(region_id), 'elasticloadbalancing', region_id, sub_account_id,
                    'loadbalancer/' || json_extract_string(item, '$.LoadBalancerName')
                )
            when 'ec2.describe_nat_gateways' then json_extract_string(item, '$.NatGatewayId')
            when 's3.list_buckets' then json_extract_string(item, '$.Name')
        end as resource_id
    from items
),

balancer_tags as (
    select
        charge_date,
        source,
        sub_account_id,
        region_id,
        call,
        unnest(json_extract(answer, '$.TagDescriptions[*]')) as item
    from answers
    where call in ('elbv2.describe_tags', 'elb.describe_tags')
),

-- 1 row per load balancer
tags_by_balancer as (
    select
        charge_date,
        source,
        case
            when call = 'elbv2.describe_tags' then json_extract_string(item, '$.ResourceArn')
            else concat_ws(
                ':', 'arn', aws_partition(region_id), 'elasticloadbalancing', region_id, sub_account_id,
                'loadbalancer/' || json_extract_string(item, '$.LoadBalancerName')
            )
        end as resource_id,
        any_value(aws_tags(item)) as tags
    from balancer_tags
    group by all
),

-- 1 row per bucket that a listing leaves without a region
bucket_regions as (
    select
        charge_date,
        source,
        json_extract_string(asked, '$.Bucket') as resource_id,
        any_value(coalesce(nullif(json_extract_string(answer, '$.LocationConstraint'), 'null'), 'us-east-1'))
            as region_id
    from answers
    where call = 's3.get_bucket_location'
    group by all
),

listed_zones as (
    select
        *,
        unnest(json_extract(answer, '$.AvailabilityZones[*]')) as item
    from answers
    where call = 'ec2.describe_availability_zones'
),

-- 1 row per zone
zones as (
    select
        charge_date,
        source,
        sub_account_id,
        json_extract_string(item, '$.ZoneName') as zone_name,
        any_value(json_extract_string(item, '$.ZoneId')) as availability_zone_id
    from listed_zones
    group by all
),

-- 1 row per snapshot or image that AWS Backup keeps
kept as (
    select distinct
        charge_date,
        source,
        split_part(unnest(json_extract_string(answer, '$.RecoveryPoints[*].RecoveryPointArn')), '/', -1) as resource_id
    from answers
    where call = 'backup.list_recovery_points_by_backup_vault'
),

things as (
    select
        described.* exclude (region_id),
        coalesce(
            nullif(described.region_id, ''), json_extract_string(described.item, '$.BucketRegion'),
            bucket_regions.region_id
        ) as region_id,
        coalesce(
            json_extract_string(described.item, '$.AvailabilityZoneId'),
            json_extract_string(described.item, '$.Placement.AvailabilityZoneId'),
            zones.availability_zone_id
        ) as availability_zone_id,
        coalesce(tags_by_balancer.tags, aws_tags(described.item)) as tags,
        kept.resource_id is not null as is_kept
    from described
    left join tags_by_balancer
        on
            described.charge_date = tags_by_balancer.charge_date
            and described.source = tags_by_balancer.source
            and described.resource_id = tags_by_balancer.resource_id
    left join bucket_regions
        on
            described.call = 's3.list_buckets'
            and described.charge_date = bucket_regions.charge_date
            and described.source = bucket_regions.source
            and described.resource_id = bucket_regions.resource_id
    left join zones
        on
            described.charge_date = zones.charge_date
            and described.source = zones.source
            and described.sub_account_id = zones.sub_account_id
            and coalesce(
                json_extract_string(described.item, '$.AvailabilityZone'),
                json_extract_string(described.item, '$.Placement.AvailabilityZone')
            ) = zones.zone_name
    left join kept
        on
            described.charge_date = kept.charge_date
            and described.source = kept.source
            and described.resource_id = kept.resource_id
    where described.resource_id is not null
    -- a page may repeat what an earlier one listed, where things change while they are listed
    qualify row_number() over (
        partition by
            described.charge_date, described.source, described.sub_account_id, described.region_id,
            described.resource_type, described.resource_id
        order by described.item
    ) = 1
)

select
    charge_date,
    source,
    'AWS' as provider,
    sub_account_id,
    region_id,
    availability_zone_id,
    resource_type,
    resource_id,
    coalesce(
        tags['Name'],
        json_extract_string(item, '$.Name'),
        json_extract_string(item, '$.LaunchTemplateName'),
        json_extract_string(item, '$.LaunchConfigurationName'),
        json_extract_string(item, '$.BackupPlanName'),
        json_extract_string(item, '$.LoadBalancerName'),
        json_extract_string(item, '$.PublicIp'),
        json_extract_string(item, '$.Description')
    ) as resource_name,
    case
        when resource_type = 'instance' and state_raw = 'running' then 'running'
        when resource_type = 'instance' and state_raw = 'stopped' then 'deallocated'
        when resource_type = 'volume' and state_raw = 'in-use' then 'in_use'
        when resource_type = 'volume' and state_raw = 'available' then 'unattached'
        when
            resource_type = 'address'
            and concat(
                json_extract_string(item, '$.AssociationId'),
                json_extract_string(item, '$.InstanceId'),
                json_extract_string(item, '$.NetworkInterfaceId')
            ) <> ''
            then 'in_use'
        when resource_type = 'address' then 'unattached'
        when lower(state_raw) = 'disabled' then 'disabled'
        when resource_type not in ('instance', 'volume') and state_raw is null then 'available'
        when
            resource_type not in ('instance', 'volume')
            and lower(state_raw) in ('available', 'completed', 'active', 'active_impaired', 'enabled')
            then 'available'
        else 'other'
    end as state,
    state_raw,
    coalesce(
        least(
            json_time(item, '$.LaunchTime'),
            list_min(
                list_transform(
                    json_extract_string(item, '$.BlockDeviceMappings[*].Ebs.AttachTime')
                    || json_extract_string(item, '$.NetworkInterfaces[*].Attachment.AttachTime'),
                    lambda attached: timezone('UTC', try_cast(attached as timestamptz))
                )
            )
        ),
        json_time(item, '$.CreateTime'),
        json_time(item, '$.StartTime'),
        json_time(item, '$.CreationDate'),
        json_time(item, '$.CreatedTime')
    ) as created_at,
    case
        when resource_type = 'instance' and state_raw = 'running' then json_time(item, '$.LaunchTime')
        when resource_type = 'instance'
            then try_cast(
                nullif(
                    regexp_extract(
                        json_extract_string(item, '$.StateTransitionReason'),
                        '\((\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) (GMT|UTC)\)', 1
                    ), ''
                ) as timestamp
            )
        when resource_type = 'volume' and state_raw = 'in-use'
            then timezone(
                'UTC',
                try_cast(list_min(json_extract_string(item, '$.Attachments[*].AttachTime')) as timestamptz)
            )
        when resource_type = 'snapshot'
            then coalesce(json_time(item, '$.CompletionTime'), json_time(item, '$.StartTime'))
    end as state_since,
    coalesce(json_time(item, '$.LastLaunchedTime'), json_time(item, '$.LastExecutionDate')) as last_used_at,
    cast(
        coalesce(
            json_extract_string(item, '$.Size'), json_extract_string(item, '$.VolumeSize')
        ) as decimal(18, 6)
    ) as size_gib,
    case
        when resource_type = 'instance' then json_extract_string(item, '$.InstanceType')
        when resource_type = 'volume' then json_extract_string(item, '$.VolumeType')
    end as instance_type,
    is_kept
    or list_has_any(map_keys(tags), ['dlm:managed'])
    or coalesce(
        len(
            list_filter(
                map_keys(tags), lambda tag: starts_with(tag, 'aws:backup:') or starts_with(tag, 'aws:dlm:')
            )
        ) > 0, false
    )
    or coalesce(json_extract_string(item, '$.Operator.Managed') = 'true', false)
    or coalesce(json_extract_string(item, '$.DeregistrationProtection') like 'enabled%', false) as is_protected,
    tags,
    observed_at
from things
