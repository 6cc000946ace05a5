-- What a thing of an AWS account refers to, as its listing says.
--
-- Ids are EC2's own and the ARNs of load balancers, as the bill's resource ids. A snapshot that AWS
-- Backup keeps in a vault is kept by its plan, and by the vault where no plan made it; one that Data
-- Lifecycle Manager made names its policy in a tag. `vol-ffffffff` is what AWS writes for the volume
-- of a copied snapshot: it is no volume.
--
-- grain:     one row per day, thing, relation and what it refers to
-- key:       charge_date, source, resource_id, relation, related_id
-- partition: charge_date
-- feeds:     listed_links
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
        answer
    from raw.aws_inventory__answers
    where answer is not null
),

instances as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.Reservations[*].Instances[*]')) as item
    from answers
    where call = 'ec2.describe_instances'
),

volumes as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.Volumes[*]')) as item
    from answers
    where call = 'ec2.describe_volumes'
),

snapshots as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.Snapshots[*]')) as item
    from answers
    where call = 'ec2.describe_snapshots'
),

images as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.Images[*]')) as item
    from answers
    where call = 'ec2.describe_images'
),

-- 1 row per version of a template, and per launch configuration
templates as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.LaunchTemplateVersions[*]')) as item
    from answers
    where call = 'ec2.describe_launch_template_versions'
    union all by name
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.LaunchConfigurations[*]')) as item
    from answers
    where call = 'autoscaling.describe_launch_configurations'
),

recovery_points as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.RecoveryPoints[*]')) as item
    from answers
    where call = 'backup.list_recovery_points_by_backup_vault'
),

target_groups as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.TargetGroups[*]')) as item
    from answers
    where call = 'elbv2.describe_target_groups'
),

targets as (
    select
        charge_date,
        source,
        sub_account_id,
        region_id,
        json_extract_string(asked, '$.TargetGroupArn') as target_group,
        unnest(json_extract_string(answer, '$.TargetHealthDescriptions[*].Target.Id')) as target_id
    from answers
    where call = 'elbv2.describe_target_health'
),

classic_balancers as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.LoadBalancerDescriptions[*]')) as item
    from answers
    where call = 'elb.describe_load_balancers'
),

addresses as (
    select
        * exclude (answer),
        unnest(json_extract(answer, '$.Addresses[*]')) as item
    from answers
    where call = 'ec2.describe_addresses'
),

links as (
    select
        *,
        json_extract_string(item, '$.InstanceId') as resource_id,
        'made_from' as relation,
        json_extract_string(item, '$.ImageId') as related_id
    from instances
    union all by name
    select
        *,
        json_extract_string(item, '$.InstanceId') as resource_id,
        'has_interface' as relation,
        unnest(json_extract_string(item, '$.NetworkInterfaces[*].NetworkInterfaceId')) as related_id
    from instances
    union all by name
    select
        *,
        json_extract_string(item, '$.VolumeId') as resource_id,
        'attached_to' as relation,
        unnest(json_extract_string(item, '$.Attachments[*].InstanceId')) as related_id
    from volumes
    union all by name
    select
        *,
        json_extract_string(item, '$.VolumeId') as resource_id,
        'made_from' as relation,
        json_extract_string(item, '$.SnapshotId') as related_id
    from volumes
    union all by name
    select
        *,
        json_extract_string(item, '$.SnapshotId') as resource_id,
        'made_from' as relation,
        nullif(json_extract_string(item, '$.VolumeId'), 'vol-ffffffff') as related_id
    from snapshots
    union all by name
    select
        * exclude (resource_type),
        'backup_plan' as resource_type,
        aws_tags(item)['aws:dlm:lifecycle-policy-id'] as resource_id,
        'keeps' as relation,
        json_extract_string(item, '$.SnapshotId') as related_id
    from snapshots
    union all by name
    select
        *,
        json_extract_string(item, '$.ImageId') as resource_id,
        'maps' as relation,
        unnest(json_extract_string(item, '$.BlockDeviceMappings[*].Ebs.SnapshotId')) as related_id
    from images
    union all by name
    select
        *,
        json_extract_string(item, '$.ImageId') as resource_id,
        'made_from' as relation,
        json_extract_string(item, '$.SourceInstanceId') as related_id
    from images
    union all by name
    select
        *,
        json_extract_string(item, '$.ImageId') as resource_id,
        'shared_with' as relation,
        case when json_extract_string(item, '$.Public') = 'true' then 'all' end as related_id
    from images
    union all by name
    select
        *,
        coalesce(
            json_extract_string(item, '$.LaunchTemplateId'), json_extract_string(item, '$.LaunchConfigurationARN')
        ) as resource_id,
        'maps' as relation,
        unnest(
            json_extract_string(item, '$.LaunchTemplateData.BlockDeviceMappings[*].Ebs.SnapshotId')
            || json_extract_string(item, '$.BlockDeviceMappings[*].Ebs.SnapshotId')
            || [
                json_extract_string(item, '$.LaunchTemplateData.ImageId'),
                json_extract_string(item, '$.ImageId')
            ]
        ) as related_id
    from templates
    union all by name
    select
        *,
        coalesce(
            json_extract_string(item, '$.CreatedBy.BackupPlanId'), json_extract_string(item, '$.BackupVaultArn')
        ) as resource_id,
        'keeps' as relation,
        split_part(json_extract_string(item, '$.RecoveryPointArn'), '/', -1) as related_id
    from recovery_points
    where json_extract_string(item, '$.RecoveryPointArn') like 'arn:%:ec2:%'
    union all by name
    select
        target_groups.*,
        unnest(json_extract_string(target_groups.item, '$.LoadBalancerArns[*]')) as resource_id,
        'backend' as relation,
        targets.target_id as related_id
    from target_groups
    inner join targets
        on
            target_groups.charge_date = targets.charge_date
            and target_groups.source = targets.source
            and json_extract_string(target_groups.item, '$.TargetGroupArn') = targets.target_group
    union all by name
    select
        *,
        concat_ws(
            ':', 'arn', aws_partition(region_id), 'elasticloadbalancing', region_id, sub_account_id,
            'loadbalancer/' || json_extract_string(item, '$.LoadBalancerName')
        ) as resource_id,
        'backend' as relation,
        unnest(json_extract_string(item, '$.Instances[*].InstanceId')) as related_id
    from classic_balancers
    union all by name
    select
        *,
        coalesce(json_extract_string(item, '$.AllocationId'), json_extract_string(item, '$.PublicIp')) as resource_id,
        'attached_to' as relation,
        coalesce(
            nullif(json_extract_string(item, '$.InstanceId'), ''), json_extract_string(item, '$.NetworkInterfaceId')
        ) as related_id
    from addresses
    union all by name
    select
        * exclude (answer),
        coalesce(
            json_extract_string(asked, '$.SnapshotId'), json_extract_string(answer, '$.SnapshotId')
        ) as resource_id,
        'shared_with' as relation,
        unnest(
            json_extract_string(answer, '$.CreateVolumePermissions[*].UserId')
            || json_extract_string(answer, '$.CreateVolumePermissions[*].Group')
        ) as related_id
    from answers
    where call = 'ec2.describe_snapshot_attribute'
    union all by name
    select
        * exclude (answer),
        coalesce(json_extract_string(asked, '$.ImageId'), json_extract_string(answer, '$.ImageId')) as resource_id,
        'shared_with' as relation,
        unnest(
            json_extract_string(answer, '$.LaunchPermissions[*].UserId')
            || json_extract_string(answer, '$.LaunchPermissions[*].Group')
            || json_extract_string(answer, '$.LaunchPermissions[*].OrganizationArn')
            || json_extract_string(answer, '$.LaunchPermissions[*].OrganizationalUnitArn')
        ) as related_id
    from answers
    where call = 'ec2.describe_image_attribute'
)

select distinct
    charge_date,
    source,
    sub_account_id,
    region_id,
    resource_type,
    resource_id,
    relation,
    related_id
from links
where
    resource_id is not null
    and related_id <> ''
    and not (relation = 'shared_with' and related_id = sub_account_id)
