-- One row is about an invoice and what the bill holds of it: billed, final or not, and what was entered.
--
-- Billed is summed by the id that the lines name; lines that name none are together the month's,
-- by billing period. It adds up to the books.
--
-- State: what has an id is final. What has none is estimated for as long as it takes to get one, where
-- the account's lines ever had ids; elsewhere until the days of `seeds.invoice_rules` have passed since
-- the month's end (10 of a provider not listed), by the newest day of any bill: models have no clock.
--
-- An entered figure (`[[invoices]]`) is held against all lines that it covers, of any month and
-- source: `compared_cost`, repeated on each of their rows. A row that two figures cover shows
-- the one by id, then by account. A figure that no row shows has a row of its own, which bills nothing.
--
-- Known drawbacks: an invoice whose provider rounds each of its own lines is off from the sum of the
-- bill's by cents, and needs a tolerance; AWS bills before 1.2 of FOCUS name no invoice at all.
--
-- grain:     one row per source, provider, billing account, billing period, invoice and currency
-- key:       source, provider, billing_account_id, billing_period, invoice_id, billing_currency
-- conserves: billed_cost of attribution.postings by source, billing_period, billing_currency
-- owner:     ml-platform

with

providers as (
    select
        source,
        billing_account_id,
        min(provider) as provider
    from raw.totals
    group by source, billing_account_id
    having count(distinct provider) = 1
),

today as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

sums as (
    select
        source,
        billing_account_id,
        billing_period,
        invoice_id,
        billing_currency,
        sum(billed_cost) as billed_cost
    from attribution.invoice_sums
    group by source, billing_account_id, billing_period, invoice_id, billing_currency
),

billed as (
    select
        row_number() over () as row_no,
        sums.*,
        providers.provider,
        lower(regexp_extract(sums.billing_account_id, '[^/]*$')) as account,
        case
            when sums.invoice_id is not null then false
            when count(sums.invoice_id) over (partition by sums.source, sums.billing_account_id) > 0 then true
            else coalesce(
                today.as_of < cast(sums.billing_period + interval 1 month as date)
                + coalesce(cast(invoice_rules.final_after_days as integer), 10),
                true
            )
        end as is_estimated
    from sums
    cross join today
    left join providers
        on sums.source = providers.source and coalesce(sums.billing_account_id, '') = providers.billing_account_id
    left join seeds.invoice_rules as invoice_rules on providers.provider = invoice_rules.provider
),

covered as (
    select
        billed.row_no,
        billed.billed_cost,
        billed.is_estimated,
        entries.entry_no
    from billed
    inner join raw.invoices as entries
        on
            billed.billing_currency = entries.billing_currency
            and (entries.source is null or billed.source = entries.source)
            and (entries.provider is null or billed.provider = entries.provider)
            and (
                entries.billing_account_id is null
                or billed.account = lower(regexp_extract(entries.billing_account_id, '[^/]*$'))
            )
            and (entries.invoice_id is null or billed.invoice_id = entries.invoice_id)
            and (entries.billing_period is null or billed.billing_period = entries.billing_period)
),

compared as (
    select
        entries.*,
        cast(sum(covered.billed_cost) as decimal(38, 12)) as compared_cost,
        coalesce(bool_or(covered.is_estimated), false) as is_open
    from raw.invoices as entries
    left join covered using (entry_no)
    group by all
),

judged as (
    select
        *,
        cast(coalesce(compared_cost, 0) - amount as decimal(38, 12)) as difference,
        case
            when compared_cost is null then 'no bill'
            when abs(compared_cost - amount) <= tolerance then 'agrees'
            when is_open then 'open'
            else 'differs'
        end as verdict
    from compared
),

shown as (
    select
        covered.row_no,
        arg_min(
            entry_no,
            (if(judged.invoice_id is null, 1, 0), if(judged.billing_account_id is null, 1, 0), entry_no)
        ) as entry_no
    from covered
    inner join judged using (entry_no)
    group by covered.row_no
),

invoices as (
    select
        billed.source,
        billed.provider,
        billed.billing_account_id,
        billed.billing_period,
        billed.invoice_id,
        billed.billing_currency,
        billed.billed_cost,
        if(billed.is_estimated, 'estimated', 'final') as state,
        shown.entry_no
    from billed
    left join shown using (row_no)
    union all
    select
        source,
        provider,
        billing_account_id,
        billing_period,
        invoice_id,
        billing_currency,
        0 as billed_cost,
        case when compared_cost is not null then if(is_open, 'estimated', 'final') end as state,
        entry_no
    from judged
    where entry_no not in (select shown.entry_no from shown)
)

select
    invoices.source,  -- null where a figure was entered for a provider and is on no row of a bill
    invoices.provider,  -- null where the account's lines are of several
    invoices.billing_account_id,
    invoices.billing_period,  -- first day of the invoice's month
    invoices.invoice_id,  -- null: the lines of the month that name no invoice
    invoices.billing_currency,
    cast(invoices.billed_cost as decimal(38, 12)) as billed_cost,  -- of these lines
    invoices.state,  -- estimated: no invoice yet, or the month may still change; final; null: no line
    judged.amount as entered_amount,  -- what the config file says of the invoice or month
    judged.compared_cost,  -- billed by all lines that the figure covers; null: none
    judged.difference,  -- compared less entered
    coalesce(judged.verdict, 'not entered') as verdict  -- agrees, differs, open (off, not final), no bill, not entered
from invoices
left join judged using (entry_no)
