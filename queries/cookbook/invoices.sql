-- Every invoice and what the bill holds of it, those first that differ from the figure entered.
--
-- The verdict is about `compared_cost`: all lines that the figure covers, which may be several rows.
--
-- grain: one row per source, provider, billing account, billing period, invoice and currency
-- key:   source, provider, billing_account_id, billing_period, invoice_id, billing_currency
-- param: verdict = null  -- agrees, differs, open, no bill or not entered; null: all

select
    source,
    provider,
    billing_account_id,
    billing_period,
    invoice_id,  -- null: the lines of the month that name no invoice
    billing_currency,
    billed_cost,
    state,
    entered_amount,
    compared_cost,
    difference,  -- compared less entered
    verdict
from marts.invoices
where $verdict is null or verdict = $verdict
order by
    verdict in ('differs', 'no bill') desc,
    billing_period desc nulls first,
    source asc nulls first,
    provider asc,
    billing_account_id asc,
    invoice_id asc nulls first,
    billing_currency asc
