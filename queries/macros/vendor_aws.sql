-- What Amazon's bills and listings write in ways of their own.

-- The tags of a thing as AWS lists them, [{"Key": ..., "Value": ...}], as a map.
create or replace macro aws_tags(item) as
map_from_entries(
    list_transform(
        json_extract(item, '$.Tags[*]'),
        lambda tag: struct_pack(k := json_extract_string(tag, '$.Key'), v := json_extract_string(tag, '$.Value'))
    )
);

-- What AWS's names begin with in a region: China and GovCloud are partitions of their own.
create or replace macro aws_partition(region_id) as
case
    when starts_with(region_id, 'cn-') then 'aws-cn'
    when starts_with(region_id, 'us-gov-') then 'aws-us-gov'
    else 'aws'
end;

-- Who called a service of AWS, by the principal's ARN: a user's or an API key's name, or what a role's
-- session is called after. Sessions that instances, pods, tasks and SDKs name by themselves are as
-- many as there are calls; there the role stands for them. The root user is nobody.
create or replace macro caller_of(arn) as
case
    when arn like 'arn:%:iam::%:user/%' then split_part(arn, '/', -1)
    when
        arn like 'arn:%:sts::%:assumed-role/%/%'
        then if(
            regexp_full_match(
                split_part(arn, '/', -1),
                '(i-[0-9a-f]{8,17}|(botocore|aws-sdk|aws-go-sdk|aws-cli|boto3|eks)-.*|[0-9a-f-]{16,}|[0-9]+)'
            ),
            split_part(arn, '/', 2),
            split_part(arn, '/', -1)
        )
end;

-- AWS's map of all tags with bare keys for those of resources and cost categories.
create or replace macro aws_bare_tags(all_tags) as
map_concat(
    tags_under(all_tags, 'costCategory/'),
    tags_under(all_tags, 'resourceTags/'),
    map_from_entries(
        list_filter(
            map_entries(all_tags),
            lambda tag: not starts_with(tag['key'], 'costCategory/')
            and not starts_with(tag['key'], 'resourceTags/')
        )
    )
);

-- What AWS's bill says of serverless inference, as tags.
create or replace macro aws_words(principal, model, token_type) as
map_from_entries(
    list_filter(
        [
            struct_pack(k := 'x_iam_principal', v := nullif(principal, '')),
            struct_pack(k := 'x_model', v := model),
            struct_pack(k := 'x_token_type', v := case when model is not null then token_type end)
        ],
        lambda word: word['v'] is not null
    )
);

-- A tag that AWS itself sets, by the letters of its key: awsecsservicename is `aws:ecs:serviceName` in one
-- report and `aws_ecs_service_name` in another.
create or replace macro aws_tag(tags, letters) as
nullif(
    list_filter(
        map_entries(tags), lambda tag: lower(regexp_replace(tag['key'], '[^A-Za-z]', '', 'g')) = letters
    )[1]['value'],
    ''
);

-- The tags of a FOCUS line; where they are AWS's map of all tags, with bare keys.
create or replace macro focus_tags(tags) as
case
    when
        len(
            list_filter(
                map_keys(tags),
                lambda key: starts_with(key, 'costCategory/') or starts_with(key, 'resourceTags/')
            )
        ) > 0
        then aws_bare_tags(tags)
    else tags
end;

-- The model that a usage type of Bedrock names, without its region; null where it names none.
create or replace macro bedrock_model_of(usage_type) as
nullif(regexp_extract(usage_type, '^(.+?)-(cache-(read|write)-)?(input|output)-token', 1), '');

-- Which kind of token a usage type of AWS counts; null where it counts none.
create or replace macro token_type_of(usage_type) as
case
    when not regexp_matches(usage_type, '(?i)token') then null
    when regexp_matches(usage_type, '(?i)cache-?read') then 'cache_read'
    when regexp_matches(usage_type, '(?i)cache-?write') then 'cache_write'
    when regexp_matches(usage_type, '(?i)input-?token') then 'input'
    when regexp_matches(usage_type, '(?i)output-?token') then 'output'
end;

-- A cost of AWS's after negotiated discounts, if they are not lines of their own.
create or replace macro after_discounts(has_discount_lines, net, gross) as
case when has_discount_lines then gross else coalesce(net, gross) end;
