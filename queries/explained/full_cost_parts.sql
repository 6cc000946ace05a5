-- One row is about a posting in the full cost that is being explained, and the way that led to it.
--
-- grain: one row per posting
-- param: dimension = 'model'     -- model or dataset
-- param: member = ''             -- the one to be explained
-- param: billing_currency = ''   -- currencies are never added

select
    postings.charge_date,
    postings.source,
    postings.billing_period,
    postings.billing_currency,
    postings.sub_account_id,
    postings.service_name,
    postings.region_id,
    postings.resource_id,
    postings.x_line_class,
    postings.x_from_region,
    postings.x_to_region,
    postings.tag_user,
    postings.tag_team,
    postings.tag_project,
    postings.cost_kind,
    postings.method,
    units.part,
    units.depth,
    units.path,
    postings.run_id,
    postings.pod_id,
    0.0 as share_from,
    1.0 as share_to,
    postings.effective_cost as whole_effective_cost,
    postings.billed_cost as whole_billed_cost,
    postings.effective_cost,
    postings.billed_cost
from attribution.postings
left join attribution.maker_groups using (run_id)
inner join attribution.full_cost_lines as units
    on
        postings.billing_currency = units.billing_currency
        and full_cost_kind(postings.method, postings.run_id) = units.kind
        and maker_groups.group_no is not distinct from units.group_no
        and maker_groups.started_date is not distinct from units.started_date
        and postings.dataset is not distinct from units.dataset
        and postings.model is not distinct from units.model
        and postings.served_model is not distinct from units.served_model
        and (units.stored_date is null or postings.charge_date = units.stored_date)
where
    units.dimension = $dimension
    and units.member = $member
    and units.billing_currency = $billing_currency
