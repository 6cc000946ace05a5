-- Numbers and times as people and programs write them.

-- A time in JSON, with an offset, as UTC; null for what is no time.
create or replace macro json_time(item, path) as
timezone('UTC', try_cast(json_extract_string(item, path) as timestamptz));

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

-- When a run ended. One that ended before it began, by clocks that differ or run back, ended with its
-- last sign of life, or when it began.
create or replace macro end_of_run(started_at, ended_at, last_seen_at) as
case when ended_at < started_at then greatest(started_at, last_seen_at) else ended_at end;
