-- One row is about what a model or dataset cost on a day: what its versions in `marts.version_spend` must add up to.
--
-- grain:  one row per day, bill, dimension, member, kind of cost and service
-- inline: yes
-- owner:  ml-platform

select
    charge_date,
    source,
    billing_period,
    billing_currency,
    dimension,
    member,
    cost_kind,
    service_name,
    gpu_hours,
    effective_cost,
    billed_cost
from attribution.member_spend
where dimension in ('model', 'dataset')
