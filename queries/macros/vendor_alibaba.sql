-- What Alibaba's bills write in ways of their own.

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

-- The seconds of a unit that a term may be told in; null for months, years and what is no unit.
create or replace macro alibaba_unit_seconds(unit) as
case
    when lower(unit) in ('秒', 's', 'second', 'seconds') then 1
    when lower(unit) in ('小时', 'hour', 'hours') then 3600
    when lower(unit) in ('天', '日', 'day', 'days') then 86400
    when lower(unit) in ('周', 'week', 'weeks') then 604800
end;

-- When a term ends that the bill tells as a number and a unit; null where it tells neither, or more than ten years.
create or replace macro alibaba_term_end(begun_at, period, unit) as
case
    when not regexp_full_match(period, '[1-9][0-9]{0,8}') then null
    when lower(unit) in ('月', '个月', 'month', 'months') and try_cast(period as bigint) <= 120
        then begun_at + to_months(cast(try_cast(period as bigint) as integer))
    when lower(unit) in ('年', 'year', 'years') and try_cast(period as bigint) <= 10
        then begun_at + to_months(cast(try_cast(period as bigint) * 12 as integer))
    when try_cast(period as bigint) <= 320000000 // alibaba_unit_seconds(unit)
        then begun_at + to_seconds(try_cast(period as bigint) * alibaba_unit_seconds(unit))
end;
