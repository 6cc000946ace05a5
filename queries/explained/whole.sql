-- One row is about everything that was posted of the lines behind a node, to whomever it went.
--
-- It is what the node's bill lines must add up to.
--
-- grain: one row per node
-- key:   node_no
-- param: measure = 'effective_cost'  -- effective_cost or billed_cost

select
    behind.node_no,
    sum(
        case $measure when 'billed_cost' then postings.billed_cost else postings.effective_cost end
    ) as cost
from attribution.postings
inner join behind
    on
        postings.charge_date = behind.charge_date
        and postings.source = behind.source
        and postings.billing_period is not distinct from behind.billing_period
        and postings.billing_currency = behind.billing_currency
        and postings.resource_id is not distinct from behind.resource_id
        and postings.service_name is not distinct from behind.service_name
        and postings.x_line_class is not distinct from behind.x_line_class
        and postings.sub_account_id is not distinct from behind.sub_account_id
        and postings.region_id is not distinct from behind.region_id
        and postings.x_from_region is not distinct from behind.x_from_region
        and postings.x_to_region is not distinct from behind.x_to_region
        and postings.tag_user is not distinct from behind.tag_user
        and postings.tag_team is not distinct from behind.tag_team
        and postings.tag_project is not distinct from behind.tag_project
group by behind.node_no
