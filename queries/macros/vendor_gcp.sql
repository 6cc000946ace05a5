-- What Google's bills and listings write in ways of their own.

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

-- Labels in Google's FOCUS export, [{"Key": ..., "Value": ...}] from their text, as keyed_values gives them.
create or replace macro google_pairs(texts) as
keyed_values(replace(replace(texts, '"Key":', '"key":'), '"Value":', '"value":'));

-- The labels of a line of Google's, lists of keys and values of four kinds, as one map.
create or replace macro gcp_label_map(labels, tags, project_labels, system_labels) as
first_of_keys(
    list_concat(
        coalesce(labels, []),
        coalesce(prefixed(tags, 'tag/'), []),
        coalesce(prefixed(project_labels, 'project-label/'), []),
        coalesce(prefixed(system_labels, 'system-label/'), [])
    )
);
