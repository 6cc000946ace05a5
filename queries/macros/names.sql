-- What one thing is called in bills, inventories and telemetry alike: the names that models join by.

-- The last part of an id: `i-0abc` of an ARN, the bucket of `arn:aws:s3:::bucket`; in lower case.
create or replace macro last_part(id) as
lower(split_part(split_part(id, '/', -1), ':', -1));

-- What a bill and an inventory call one thing alike: an ARN's last part, any other id in lower case.
create or replace macro resource_key(id) as
case when starts_with(id, 'arn:') then last_part(id) else lower(id) end;

-- The bucket or volume that an address begins with, as last_part() writes it. A repository of lakeFS is
-- none: it keeps its scheme, so that a bucket of the same name is another place.
create or replace macro container_of(address) as
case
    when starts_with(address, 'lakefs://') then 'lakefs://' || lower(split_part(address, '/', 3))
    else last_part(split_part(rtrim(split_part(address, '://', -1), '/'), '/', 1))
end;

-- The key under an address's bucket, without a slash at its end; '' is the whole bucket.
create or replace macro key_path_of(address) as
substr(
    rtrim(split_part(address, '://', -1), '/'),
    length(split_part(rtrim(split_part(address, '://', -1), '/'), '/', 1)) + 2
);

-- The folder that an object's key lies in, to a depth; '' for an object at the top.
create or replace macro key_folder(object_key, depth) as
array_to_string(
    list_slice(string_split(object_key, '/'), 1, least(len(string_split(object_key, '/')) - 1, depth)), '/'
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

-- Whether an address is of a private network: RFC 1918, shared (RFC 6598), link-local, or unique local in IPv6.
create or replace macro is_private_address(address) as
regexp_matches(
    lower(address),
    '^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2[0-9]|3[01])\.|'
    || '100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)'
);

-- The key of a source's record of a run, by which all models know it: 128 bits, as hexadecimal digits. They stand
-- in millions of rows, and twice as many tell no more runs apart.
create or replace macro run_key_of(source, native_id, attempt) as
left(sha256(concat_ws('|', source, native_id, attempt)), 32);

-- What tells pods of a day, and nodes of an hour, apart in joins of millions of rows (`pod_days`, `node_places`).
create or replace macro pod_hash_of(charge_date, cluster, namespace, pod, pod_uid) as
hash(charge_date, cluster, namespace, pod, pod_uid);

create or replace macro node_hash_of(charge_hour, cluster, node) as
hash(charge_hour, cluster, node);
