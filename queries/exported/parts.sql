-- One row is about a posting, with the people and teams that it goes to by name.
--
-- grain: one row per posting

select
    row_number() over () as part_no,
    postings.charge_date,
    postings.source,
    postings.billing_currency,
    hash(
        postings.billing_period, postings.sub_account_id, postings.service_name, postings.region_id,
        postings.resource_id, postings.x_line_class, postings.x_from_region, postings.x_to_region,
        postings.tag_user, postings.tag_team, postings.tag_project
    ) as group_hash,
    hash(
        postings.billing_period, postings.sub_account_id, postings.service_name, postings.region_id
    ) as pool_hash,
    postings.cost_kind,
    postings.method,
    postings.run_id,
    postings.pod_id,
    postings.dataset,
    postings.model,
    coalesce(user_days.user_id, postings.user_raw) as user_id,
    case
        when postings.is_team_of_user then coalesce(user_days.team, postings.team)
        else postings.team
    end as team,
    postings.project,
    postings.gpu_hours,
    postings.effective_cost,
    postings.billed_cost
from attribution.postings
left join attribution.user_days using (charge_date, user_raw)
