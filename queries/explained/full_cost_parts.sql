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
from attribution.full_cost_lines as units
inner join attribution.postings
    on
        units.billing_currency = postings.billing_currency
        and units.method = postings.method
        and units.run_id is not distinct from postings.run_id
        and units.dataset is not distinct from postings.dataset
        and units.model is not distinct from postings.model
        and units.served_model is not distinct from postings.served_model
        and coalesce(units.stored_date, postings.charge_date) = postings.charge_date
where
    units.dimension = $dimension
    and units.member = $member
    and units.billing_currency = $billing_currency
