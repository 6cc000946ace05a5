-- One row is about the bill lines of a day that are on one invoice, added up as staged.
--
-- Kept beside each file of lines, so that a night reads the lines of new files alone; proven against
-- `line_sums`, which have been proven against the lines: one look at all of them is enough. Alibaba numbers
-- its records of charges, of which an invoice has thousands: they count as lines without an id.
--
-- grain:     one row per file of lines, day, source, billing account, billing period, invoice and currency
-- beside:    cost_lines
-- conserves: billed_cost of attribution.line_sums by charge_date, source, billing_period, billing_currency
-- owner:     ml-platform

select
    charge_date,
    source,
    billing_account_id,
    billing_period,
    case when coalesce(service_provider_name, '') <> 'Alibaba Cloud' then invoice_id end as invoice_id,
    billing_currency,
    sum(billed_cost) as billed_cost
from staging.cost_lines
group by all
