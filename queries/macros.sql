-- Shared arithmetic. A share is a double between 0 and 1 on a grid of 1e-14; every step that makes
-- one is monotone, so shares that run upwards cut parts that never change sign. Only IEEE division,
-- product and floor are used, which every engine computes alike.

-- The share that `upto` is of `total`, on the grid; exactly 1 where they are equal.
create or replace macro share_of(upto, total) as
least(floor(cast(upto as double) / cast(total as double) * 1e14 + 0.5) / 1e14, 1.0);

-- A share that was summed from doubles, put on the grid; what is 1 but for rounding becomes 1.
create or replace macro to_share(fraction) as
least(floor(fraction * 1e14 + 0.5) / 1e14, 1.0);

-- The share that lies at a fraction of the way from one share to another, ends included.
create or replace macro share_between(share_from, share_to, fraction) as
case
    when fraction = 0 then share_from
    when fraction = 1 then share_to
    else least(greatest(to_share(share_from + (share_to - share_from) * fraction), share_from), share_to)
end;

-- A cost below 1,000 as a whole number of 1e-12, exact in a double; null for a larger one. (It must
-- not fail for those: engines may compute it before they look at the case that it stands in.)
create or replace macro cost_units(cost) as
round(cast(try_cast(cost as decimal(15, 12)) as double) * 1e12);

-- The first `share` of a cost of any size up to 10^11, in exact decimals: slow, for few rows.
create or replace macro large_cost_upto(cost, share) as
cast(cast(cost as decimal(23, 12)) * cast(share as decimal(15, 14)) as decimal(38, 12));

-- The part of a cost between two shares of it, in whole units of 1e-12. Parts that meet add up to
-- the cost, because each end is rounded once, in the same way for both its neighbours.
create or replace macro cut(cost, share_from, share_to) as
case
    when share_from = 0 and share_to = 1 then cost
    when cost between -999 and 999
        then
            cast(
                floor(cost_units(cost) * share_to + 0.5) - floor(cost_units(cost) * share_from + 0.5)
                as decimal(15, 0)
            ) * cast(0.000000000001 as decimal(12, 12))
    else large_cost_upto(cost, share_to) - large_cost_upto(cost, share_from)
end;

-- The first upto/total of a whole amount that is no money (microseconds, bytes), rounded down.
create or replace macro whole_upto(amount, upto, total) as
cast(floor(cast(amount as double) * (cast(upto as double) / cast(total as double))) as bigint);

-- Units held for some seconds (GPUs, cores, GiB), in whole units x microseconds.
create or replace macro unit_us(units, seconds) as
cast(round(cast(units as double) * 1e6) as bigint) * cast(seconds as bigint);

-- The last part of an id: `i-0abc` of an ARN, the bucket of `arn:aws:s3:::bucket`; in lower case.
create or replace macro last_part(id) as
lower(split_part(split_part(id, '/', -1), ':', -1));

-- The bucket or volume that an address begins with, as last_part() writes it. A repository of lakeFS is
-- none: it keeps its scheme, so that a bucket of the same name is another place.
create or replace macro container_of(address) as
case
    when starts_with(address, 'lakefs://') then 'lakefs://' || lower(split_part(address, '/', 3))
    else last_part(split_part(rtrim(split_part(address, '://', -1), '/'), '/', 1))
end;

-- The folder that an object's key lies in, to a depth; '' for an object at the top.
create or replace macro key_folder(object_key, depth) as
array_to_string(
    list_slice(string_split(object_key, '/'), 1, least(len(string_split(object_key, '/')) - 1, depth)), '/'
);

-- Who a posting's cost goes to in a dimension: the member where there is one, else the explicit
-- member of its kind of cost.
create or replace macro member_or_kind(member, cost_kind, otherwise) as
case
    when member is not null then member
    when cost_kind = 'idle' then '(idle)'
    when cost_kind = 'shared' then '(shared)'
    when cost_kind = 'tax' then '(tax)'
    when cost_kind = 'credit' then '(credit)'
    when cost_kind = 'commitment_unused' then '(unused commitment)'
    when cost_kind = 'unattributed' then 'unattributed'
    else otherwise
end;

-- What lineage asks of how a cost was cut: whether it is read or stored data; what a run has is its work.
create or replace macro full_cost_kind(method, run_id) as
case
    when method = 'reads' or (method = 'stored_bytes' and run_id is null) then method
    else 'work'
end;

-- The tags of a thing as AWS lists them, [{"Key": ..., "Value": ...}], as a map.
create or replace macro aws_tags(item) as
map_from_entries(
    list_transform(
        json_extract(item, '$.Tags[*]'),
        lambda tag: struct_pack(k := json_extract_string(tag, '$.Key'), v := json_extract_string(tag, '$.Value'))
    )
);

-- A time in JSON, with an offset, as UTC; null for what is no time.
create or replace macro json_time(item, path) as
timezone('UTC', try_cast(json_extract_string(item, path) as timestamptz));

-- What AWS's names begin with in a region: China and GovCloud are partitions of their own.
create or replace macro aws_partition(region_id) as
case
    when starts_with(region_id, 'cn-') then 'aws-cn'
    when starts_with(region_id, 'us-gov-') then 'aws-us-gov'
    else 'aws'
end;

-- A thing of Azure as bills call it: machines and disks by their name, all else by its path.
create or replace macro azure_id(path) as
case
    when regexp_matches(path, '/virtualMachineScaleSets/[^/]+/virtualMachines/\d+/*$', 'i')
        then lower(regexp_replace(path, '^.*/([^/]+)/[^/]+/(\d+)/*$', '\1_\2'))
    when regexp_matches(path, '/(disks|virtualMachines)/[^/]+/*$', 'i')
        then lower(regexp_extract(path, '/([^/]+)/*$', 1))
    else lower(regexp_replace(trim(path), '/+$', ''))
end;

-- Where a thing of Azure is, as bills write it.
create or replace macro azure_region(item) as
coalesce(lower(replace(json_extract_string(item, '$.location'), ' ', '')), 'global');

-- Where an asset of Google is: its region, a multi-region, or global; of a snapshot, where it is kept.
create or replace macro asset_region(item) as
lower(
    regexp_replace(
        coalesce(
            json_extract_string(item, '$.resource.data.storageLocations[0]'),
            json_extract_string(item, '$.resource.location'),
            'global'
        ),
        '-[a-z]$', ''
    )
);

-- The project of an asset, by its id, or by its number where its name has no more.
create or replace macro asset_project(item) as
coalesce(
    nullif(regexp_extract(json_extract_string(item, '$.name'), '^//compute[^/]*/projects/([^/]+)/', 1), ''),
    json_extract_string(item, '$.resource.data.projectNumber'),
    nullif(regexp_extract(json_extract_string(item, '$.ancestors[0]'), '^projects/(.+)$', 1), '')
);

-- An asset as bills call it: machines, disks, snapshots and buckets by their names, addresses and
-- balancers by the number of their project and their own.
create or replace macro asset_id(kind, item, project) as
case
    when kind in ('address', 'load_balancer')
        then regexp_replace(
            regexp_replace(
                json_extract_string(item, '$.name'), '/projects/[^/]+/', '/projects/' || project || '/'
            ),
            '/[^/]+$',
            '/' || coalesce(
                json_extract_string(item, '$.resource.data.id'),
                split_part(json_extract_string(item, '$.name'), '/', -1)
            )
        )
    else split_part(json_extract_string(item, '$.name'), '/', -1)
end;

-- Labels of a thing, {"team": "vision"}, as a map.
create or replace macro json_map(labels) as
coalesce(try_cast(labels as map (varchar, varchar)), map());

-- A cost as a whole number of 1e-12, exact whatever its size.
create or replace macro whole_units(cost) as
cast(replace(cast(cast(cost as decimal(38, 12)) as varchar), '.', '') as hugeint);

-- A cost times a fraction of two whole numbers, in whole units of 1e-12, cut off towards 0.
create or replace macro scaled(cost, times, over) as
cast(whole_units(cost) * cast(times as hugeint) // cast(over as hugeint) as decimal(26, 0))
* cast(0.000000000001 as decimal(12, 12));

-- What a cost of some days comes to in a month of 30.4375 days.
create or replace macro per_month(cost, days) as
scaled(cost, 304375, cast(days as hugeint) * 10000);

-- What a bill and an inventory call one thing alike: an ARN's last part, any other id in lower case.
create or replace macro resource_key(id) as
case when starts_with(id, 'arn:') then last_part(id) else lower(id) end;

-- A list of keys and values, [{"key": ..., "value": ...}], read from its text: JSON, or the way that
-- Python prints such a list. Null for a text that is neither.
create or replace macro keyed_values(pairs) as
coalesce(
    json_transform(try_cast(pairs as json), '[{"key": "VARCHAR", "value": "VARCHAR"}]'),
    list_transform(
        try_cast(
            pairs as struct(key varchar, value varchar, inherited varchar, namespace varchar)[]
        ),
        lambda pair: struct_pack(key := pair['key'], value := pair['value'])
    )
);

-- The same list with what its keys begin with.
create or replace macro prefixed(pairs, prefix) as
list_transform(pairs, lambda pair: struct_pack(key := prefix || pair['key'], value := pair['value']));

-- A list of keys and values as a map: of two values under one key the first counts.
create or replace macro first_of_keys(pairs) as
map_from_entries(
    list_transform(
        list_distinct(
            list_transform(list_filter(pairs, lambda pair: pair['key'] is not null), lambda pair: pair['key'])
        ),
        lambda wanted: struct_pack(
            k := wanted,
            v := list_filter(pairs, lambda pair: pair['key'] = wanted)[1]['value']
        )
    )
);

-- What a map holds under keys that begin alike, without that beginning.
create or replace macro tags_under(tags, beginning) as
map_from_entries(
    list_transform(
        list_filter(map_entries(tags), lambda tag: starts_with(tag['key'], beginning)),
        lambda tag: struct_pack(k := substr(tag['key'], length(beginning) + 1), v := tag['value'])
    )
);

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

-- A cost of AWS's after negotiated discounts, if they are not lines of their own.
create or replace macro after_discounts(has_discount_lines, net, gross) as
case when has_discount_lines then gross else coalesce(net, gross) end;

-- Which kind of token a usage type of AWS counts; null where it counts none.
create or replace macro token_type_of(usage_type) as
case
    when not regexp_matches(usage_type, '(?i)token') then null
    when regexp_matches(usage_type, '(?i)cache-?read') then 'cache_read'
    when regexp_matches(usage_type, '(?i)cache-?write') then 'cache_write'
    when regexp_matches(usage_type, '(?i)input-?token') then 'input'
    when regexp_matches(usage_type, '(?i)output-?token') then 'output'
end;

-- The credits of a line of Google's, from their text as for keyed_values; amounts stay texts, because
-- a number in JSON would be a double.
create or replace macro gcp_credits(texts) as
coalesce(
    json_transform(
        try_cast(
            regexp_replace(texts, '("amount"\s*:\s*)([-+]?[0-9][-+0-9.eE]*)', '\1"\2"', 'g') as json
        ),
        '[{"name": "VARCHAR", "full_name": "VARCHAR", "type": "VARCHAR", "amount": "VARCHAR"}]'
    ),
    list_transform(
        try_cast(
            texts
            as struct(name varchar, amount varchar, full_name varchar, id varchar, type varchar)[]
        ),
        lambda credit: struct_pack(
            name := credit['name'],
            full_name := credit['full_name'],
            type := credit['type'],
            amount := credit['amount']
        )
    )
);

-- Whether a credit of Google's is a discount on the line that carries it.
-- Source: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/detailed-usage
create or replace macro is_gcp_discount(kind) as
coalesce(
    kind in (
        'COMMITTED_USAGE_DISCOUNT',
        'COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE',
        'DISCOUNT',
        'FEE_UTILIZATION_OFFSET',
        'FREE_TIER',
        'RESELLER_MARGIN',
        'SUBSCRIPTION_BENEFIT',
        'SUSTAINED_USAGE_DISCOUNT'
    ),
    false
);

-- Whole numbers of 1e-12 as money again: `whole_units` the other way round.
create or replace macro units_cost(units) as
cast(
    cast(units as decimal(26, 0)) * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
);

-- A number as people write it, as SQL reads it: without marks of thousands, its decimal mark a point.
create or replace macro plain_number(written, decimal_mark) as
replace(
    replace(
        translate(written, case decimal_mark when ',' then '.' else ',' end || ' ''’' || chr(160) || chr(8239), ''),
        decimal_mark,
        '.'
    ),
    '−',
    '-'
);

-- A time as Alibaba writes it, in Shanghai's time; one that states an offset is brought there.
create or replace macro shanghai_time(written) as
case
    when written is null then null
    when written[5] <> '-' then cast('no time of the form 2026-10-03: ' || written as timestamp)
    when regexp_matches(written[11:], '(Z|[+-][0-9]{2}:?[0-9]{2})$')
        then timezone('UTC', cast(written as timestamptz)) + interval 8 hours
    else cast(written as timestamp)
end;

-- Tags as Alibaba writes them, `team:vision;user:alice` or `key:team value:vision; key:user value:alice`,
-- as a list of keys and values.
create or replace macro alibaba_entries(written) as
list_transform(
    list_filter(string_split(written, ';'), lambda part: contains(part, ':')),
    lambda part: case
        when regexp_matches(trim(part), '^key:.* value:')
            then struct_pack(
                k := trim(split_part(regexp_replace(trim(part), '^key:', ''), ' value:', 1)),
                v := trim(regexp_replace(trim(part), '^key:.*? value:', ''))
            )
        else struct_pack(k := trim(split_part(part, ':', 1)), v := trim(substr(part, instr(part, ':') + 1)))
    end
);

-- A list of keys and values as a map; of a key that comes twice the first counts.
create or replace macro tag_map(entries) as
map_from_entries(
    list_transform(
        list_sort(list_distinct(list_transform(entries, lambda entry: entry.k))),
        lambda wanted: struct_pack(
            k := wanted,
            v := list_filter(entries, lambda entry: entry.k = wanted)[1].v
        )
    )
);

-- What people say of a run: the map `named` (as JSON), and those words of a list (as JSON) that name
-- something, `team:vision` or `mlflow_run_id=8f3c`. Of a key that comes twice the first of `named` counts.
create or replace macro labels_of(named, words) as
tag_map(
    list_concat(
        list_transform(
            map_entries(from_json(coalesce(named, '{}'), '"MAP(VARCHAR, VARCHAR)"')),
            lambda entry: { k: entry.key, v: entry.value }
        ),
        list_transform(
            list_filter(
                from_json(coalesce(words, '[]'), '["VARCHAR"]'),
                lambda word: regexp_matches(word, '^[^:=]+[:=].')
            ),
            lambda word: {
                k: trim(regexp_extract(word, '^([^:=]+)[:=](.+)$', 1)),
                v: trim(regexp_extract(word, '^([^:=]+)[:=](.+)$', 2))
            }
        )
    )
);

-- The machine that a node's provider id names, as its bill calls it: the last part; of AKS the scale
-- set's name and the number in it, of ACK without the region (`cn-hangzhou.i-bp1...`).
create or replace macro machine_of(provider_id) as
case
    when provider_id ilike '%/virtualMachineScaleSets/%/virtualMachines/%'
        then concat_ws('_', split_part(provider_id, '/', -3), split_part(provider_id, '/', -1))
    when regexp_matches(provider_id, '(^|/)[a-z]+-[a-z0-9-]+[.]i-[a-z0-9]+$') then split_part(provider_id, '.', -1)
    else split_part(provider_id, '/', -1)
end;

-- What a run's tags say of itself in other systems. `known` are the rows of seeds.run_tags as a list: a
-- row whose tags are all there, and not empty, mentions their values, joined by '/'. Tags named
-- `finops.same.<system>` and `finops.parent.<system>` do so for any system.
create or replace macro mentions_in(tags, known) as
list_concat(
    list_transform(
        list_filter(
            known,
            lambda row: len(
                list_filter(string_split(row.tags, ' '), lambda tag: coalesce(tags[tag], '') <> '')
            ) = len(string_split(row.tags, ' '))
        ),
        lambda row: {
            system: row.system,
            native_id: array_to_string(
                list_transform(string_split(row.tags, ' '), lambda tag: trim(tags[tag])), '/'
            ),
            relation: row.relation,
            evidence: 'tag ' || replace(row.tags, ' ', ', ')
        }
    ),
    list_transform(
        list_filter(
            map_entries(tags),
            lambda entry: regexp_matches(entry.key, '^finops\.(same|parent)\..') and entry.value <> ''
        ),
        lambda entry: {
            system: split_part(entry.key, '.', 3),
            native_id: trim(entry.value),
            relation: split_part(entry.key, '.', 2),
            evidence: 'tag ' || entry.key
        }
    )
);

-- An address of data in the one way that all sources write it: scheme and host in lower case, s3a and
-- s3n as s3, gcs as gs, without a query that signs it (a secret), and without a slash at the end.
create or replace macro place_uri(address) as
case
    when not regexp_matches(trim(address), '^[A-Za-z][A-Za-z0-9+.-]*://') then nullif(rtrim(trim(address), '/'), '')
    else
        regexp_replace(
            regexp_replace(lower(regexp_extract(trim(address), '^[^:]+://[^/?]*')), '^s3[an]:', 's3:'), '^gcs:', 'gs:'
        )
        || rtrim(
            regexp_replace(
                regexp_extract(trim(address), '^[^:]+://[^/?]*(.*)$', 1),
                '[?].*(X-Amz-|X-Goog-|Signature=|AWSAccessKeyId=|sig=).*$',
                ''
            ),
            '/'
        )
end;

-- Whole units times a fraction of two whole numbers, rounded, halves away from 0. It runs upwards with the units,
-- so what running sums come to cuts a converted total into parts that add up to it. The numbers may have 24 digits,
-- as two rates of 12 digits need: what is left of the division is multiplied in two halves, or it would not fit.
create or replace macro converted_units(units, times, over) as
case
    when times = over then units
    else
        sign(units)
        * (
            abs(units) // over * times
            + (abs(units) % over) * (times // 1000000000000) // over * 1000000000000
            + (
                (abs(units) % over) * (times // 1000000000000) % over * 1000000000000
                + (abs(units) % over) * (times % 1000000000000)
                + over // 2
            ) // over
        )
end;

-- A cost times a fraction of two whole numbers, in whole units of 1e-12.
create or replace macro converted(cost, times, over) as
units_cost(converted_units(whole_units(cost), times, over));
