-- Reads of objects on a day, by folder and requester, as S3's access logs have them.
--
-- GETs that succeeded count (200, 206), with the bytes that were sent, of however much was asked.
-- Keys are logged url-encoded twice. Fields after the bytes are not looked at: agents hold quotes,
-- and AWS adds fields at the end. A private address came through a VPC endpoint, so from the
-- bucket's own region. A record counts on its own day, however late it was written.
--
-- grain:     one row per day of writing, day, bucket, folder, requester and kind of address
-- partition: charge_date
-- feeds:     object_reads
-- param:     prefix_depth = 6  -- folders of a key that are told apart
-- owner:     ml-platform

with

records as (
    select
        x_source,
        regexp_extract(
            line,
            '^\S+ (\S+) \[(\S+) \+0000\] (\S+) (\S+) \S+ (\S+) (\S+) '
            || '(?:".*?"|-) (\d{3}|-) \S+ (\d+|-) (?:\d+|-) (?:\d+|-) (?:\d+|-) ',
            ['container', 'read_at', 'address', 'requester', 'operation', 'object_key', 'status', 'bytes_sent']
        ) as field
    from raw.s3_access_logs__lines
),

reads as (
    select
        x_source as source,
        cast(strptime(field['read_at'], '%d/%b/%Y:%H:%M:%S') as date) as charge_date,
        field['container'] as container,
        coalesce(try(url_decode(url_decode(field['object_key']))), field['object_key']) as object_key,
        nullif(field['requester'], '-') as requester_raw,
        case
            when
                regexp_matches(
                    field['address'],
                    '^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|'
                    || '100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd])'
                )
                then 'same'
        end as requester_region,
        coalesce(try_cast(field['bytes_sent'] as bigint), 0) as bytes_sent
    from records
    where
        field['operation'] in ('REST.GET.OBJECT', 'WEBSITE.GET.OBJECT')
        and field['status'] in ('200', '206')
)

select
    source,
    charge_date,
    container,
    key_folder(object_key, $prefix_depth) as prefix,
    requester_raw,
    requester_region,
    count(*) as request_count,
    cast(sum(bytes_sent) as bigint) as bytes_sent
from reads
group by all
