-- One row is about the bill lines behind some postings, by what the bill says they are for.
--
-- `behind` holds the keys of the postings behind each node of an explanation: each key is a group
-- of lines that attribution read as one.
--
-- grain: one row per node, description and meter
-- param: measure = 'effective_cost'  -- effective_cost or billed_cost

select
    behind.node_no,
    cost_lines.charge_description,
    cost_lines.sku_meter,
    count(*) as line_count,
    min(cost_lines.charge_date) as first_day,
    max(cost_lines.charge_date) as last_day,
    sum(
        case $measure
            when 'billed_cost' then cost_lines.billed_cost else cost_lines.effective_cost
        end
    ) as cost
from staging.cost_lines
inner join behind
    on
        cost_lines.charge_date = behind.charge_date
        and cost_lines.source = behind.source
        and cost_lines.billing_period is not distinct from behind.billing_period
        and cost_lines.billing_currency = behind.billing_currency
        and cost_lines.resource_id is not distinct from behind.resource_id
        and cost_lines.service_name is not distinct from behind.service_name
        and cost_lines.x_line_class is not distinct from behind.x_line_class
        and cost_lines.sub_account_id is not distinct from behind.sub_account_id
        and cost_lines.region_id is not distinct from behind.region_id
        and cost_lines.x_from_region is not distinct from behind.x_from_region
        and cost_lines.x_to_region is not distinct from behind.x_to_region
        and tag_of_user(cost_lines.tags) is not distinct from behind.tag_user
        and tag_of_team(cost_lines.tags) is not distinct from behind.tag_team
        and tag_of_project(cost_lines.tags) is not distinct from behind.tag_project
group by all
order by behind.node_no asc, cost desc, cost_lines.charge_description asc, cost_lines.sku_meter asc
