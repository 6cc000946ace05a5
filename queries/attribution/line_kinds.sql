-- One row is about a kind of bill line: what lines say besides when, how much and how many.
--
-- A bill of millions of lines repeats a few thousand kinds. What is asked of a line's texts (which
-- tags own it, which machine or container it is about) is asked once per kind, and the steps that
-- follow know the kind by its number, which follows the order of its texts and lives for one build.
--
-- Lines, added up by `line_sums`, are brought to their kind by the hash of their texts (`line_texts`). There may
-- be kinds without a line on the days that are being attributed.
--
-- AWS's bill may say who called (`x_iam_principal`, and tags and attributes of that principal), what
-- tags the account has, and which model answered (`x_model`): staging puts these among the tags.
--
-- A line of object storage is of the class that the provider's usage type tells (seeds), so that dear
-- and cheap bytes of one bucket are paid by those whose they are.
--
-- Google's bill names the namespace that a part of a machine went to (GKE cost allocation), so
-- entries of the map of namespaces are looked up like a tag; so is the namespace of the claim that
-- a volume was made for, which drivers of Kubernetes write on it.
--
-- grain: one row per set of texts that attribution tells apart
-- key:   kind_no
-- words: source, billing_currency, sub_account_id, service_name, region_id, x_line_class
-- words: x_from_region, x_to_region, tag_user, tag_team, tag_project
-- step:  charge_date
-- owner: ml-platform

with

tag_rules as (
    select
        list(
            struct_pack(
                mark := '|' || rule_rank || '|',
                tag_key := coalesce(match_tag_key, 'k8s-namespace'),
                tag_value := coalesce(match_namespace, match_tag_value)
            )
        ) as wanted
    from attribution.rules
    where match_tag_key is not null or level = 'namespace'
),

as_billed as (
    select
        line_hash,
        any_value(source) as source,
        any_value(billing_period) as billing_period,
        any_value(billing_currency) as billing_currency,
        any_value(sub_account_id) as sub_account_id,
        any_value(service_name) as service_name,
        any_value(region_id) as region_id,
        any_value(resource_id) as resource_id,
        any_value(x_line_class) as x_line_class,
        any_value(x_from_region) as x_from_region,
        any_value(x_to_region) as x_to_region,
        any_value(tags) as tags,
        any_value(x_instance_type) as instance_type,
        any_value(x_gpu_count) as gpu_count,
        any_value(x_cpu_count) as cpu_count,
        any_value(x_memory_gib) as memory_gib,
        any_value(invoice_id) as invoice_id,
        any_value(storage_meter) as storage_meter
    from attribution.line_texts
    group by line_hash
),

storage_classes as (
    select
        meters.storage_meter,
        arg_min(patterns.storage_class, cast(patterns.position as integer)) as storage_class
    from (select distinct storage_meter from as_billed) as meters
    inner join seeds.storage_classes as patterns on lower(meters.storage_meter) like patterns.meter
    group by meters.storage_meter
),

parted as (
    select
        *,
        tags_under(tags, 'iamPrincipal/') as principal_tags,
        tags_under(tags, 'userAttribute/') as user_attributes,
        tags_under(tags, 'accountTag/') as account_tags
    from as_billed
),

tagged as (
    select
        *,
        tag_of_user(tags) as tag_user,
        tag_of_team(tags) as tag_team,
        tag_of_project(tags) as tag_project,
        coalesce(
            caller_of(tags['x_iam_principal']),
            tag_of_user(principal_tags),
            tag_of_user(user_attributes)
        ) as caller_user,
        coalesce(tag_of_team(principal_tags), tag_of_team(user_attributes)) as caller_team,
        coalesce(tag_of_project(principal_tags), tag_of_project(user_attributes)) as caller_project,
        tag_of_user(account_tags) as account_user,
        tag_of_team(account_tags) as account_team,
        tag_of_project(account_tags) as account_project,
        tags['x_model'] as billed_model,
        case
            when tag_rules.wanted is not null
                then
                    array_to_string(
                        list_transform(
                            list_filter(
                                tag_rules.wanted,
                                lambda rule: coalesce(
                                    case
                                        when rule['tag_key'] = 'k8s-namespace'
                                            then coalesce(tags['k8s-namespace'], claim_namespace(tags))
                                        else tags[rule['tag_key']]
                                    end glob rule['tag_value'],
                                    false
                                )
                            ),
                            lambda rule: rule['mark']
                        ),
                        ''
                    )
        end as tag_marks
    from parted
    left join storage_classes using (storage_meter)
    cross join tag_rules
),

kinds as (
    select
        source,
        billing_period,
        billing_currency,
        sub_account_id,
        service_name,
        region_id,
        resource_id,
        x_line_class,
        x_from_region,
        x_to_region,
        storage_class,
        tag_user,
        tag_team,
        tag_project,
        caller_user,
        caller_team,
        caller_project,
        account_user,
        account_team,
        account_project,
        billed_model,
        tag_marks,
        list(
            {
                'line_hash': line_hash,
                'instance_type': instance_type,
                'gpu_count': gpu_count,
                'cpu_count': cpu_count,
                'memory_gib': memory_gib,
                'is_provisional': invoice_id is null
            }
        ) as variants
    from tagged
    group by all
)

select
    cast(
        row_number() over (
            order by
                source, billing_period, billing_currency, sub_account_id, service_name, region_id,
                tag_user, tag_team, tag_project, tag_marks, resource_id, x_line_class,
                x_from_region, x_to_region, caller_user, caller_team, caller_project,
                account_user, account_team, account_project, billed_model, storage_class
        ) as integer
    ) as kind_no,
    *,
    case when x_line_class = 'instance' then lower(resource_id) end as instance_id,
    case
        when x_line_class = 'instance' and resource_id is not null
            then cast(dense_rank() over (order by lower(resource_id)) as integer)
    end as machine_no,
    case
        when x_line_class in ('object_storage', 'object_requests', 'volume', 'transfer')
            then last_part(coalesce(resource_id, ''))
    end as container
from kinds
