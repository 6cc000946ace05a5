-- One row is about lines that ownership rules match, by what the bill says of them.
--
-- grain: one row per day and kind of line, where a rule matches
-- key:   charge_date, kind_no
-- step:  charge_date
-- owner: ml-platform

with

wanted as (
    select count(*) as rule_count
    from attribution.rules
    where side <> 'run' or level = 'namespace'
),

lines as (
    select distinct
        charge_date,
        kind_no
    from attribution.line_groups
    cross join wanted
    where wanted.rule_count > 0
)

select
    lines.charge_date,
    lines.kind_no,
    min(rules.rule_rank) filter (where rules.side = 'line' and rules.level = 'rule') as rule_rank,
    min(rules.rule_rank) filter (where rules.level = 'sub_account') as sub_account_rank,
    min(rules.rule_rank) filter (where rules.level = 'namespace') as namespace_rank,
    list(rules.rule_rank order by rules.rule_rank) filter (where rules.side = 'mixed')
        as mixed_ranks  -- rules that match if the run matches too
from lines
inner join attribution.line_kinds as kinds using (kind_no)
inner join attribution.rules
    on
        (rules.side <> 'run' or rules.level = 'namespace')
        and lines.charge_date >= rules.valid_from
        and lines.charge_date < rules.valid_to
        and (rules.match_source is null or rules.side = 'mixed' or kinds.source glob rules.match_source)
        and (rules.match_sub_account_id is null or kinds.sub_account_id glob rules.match_sub_account_id)
        and (rules.match_service_name is null or kinds.service_name glob rules.match_service_name)
        and (rules.match_resource_id is null or kinds.resource_id glob rules.match_resource_id)
        and (
            rules.match_tag_key is null and rules.level <> 'namespace'
            or contains(kinds.tag_marks, '|' || rules.rule_rank || '|')
        )
group by lines.charge_date, lines.kind_no
