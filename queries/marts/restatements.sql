-- One row is about a sum of a bill that a newer delivery of it changed.
--
-- It is the journal's ledger, which figures do not depend on: it tells when a bill has moved, by how
-- much, and what became of its lines. Files do not say why a provider changed them; the number of
-- lines tells late ones from the same lines at another cost. A change after the period was over
-- (`was_open` is false) is one of the invoice's last, or of a month that was thought final.
--
-- grain: one row per bill, month of use, currency, measure and time
-- key:   restatement_no
-- owner: ml-platform

with

changes as (
    select
        *,
        cost_after - cost_before as cost_change
    from raw.restatements
)

select
    restatement_no,  -- in the order of the ledger, from 1
    restated_at,  -- UTC, when the newer delivery landed
    source,  -- the configured source of the bill
    unit,  -- what the source restates: a month, a day, or a file
    charge_month,  -- first day of the month of use
    billing_currency,
    measure,  -- effective_cost or billed_cost
    cost_before,
    cost_after,
    cost_change,  -- what came in on top; negative: what was taken back
    lines_before,  -- null where the ledger did not keep it
    lines_after,
    was_open,  -- the older delivery was made before the unit was over: a change was to be expected
    case
        when lines_after > lines_before and cost_change < 0 then 'credits'
        when lines_after > lines_before then 'late_lines'
        when lines_after < lines_before then 'fewer_lines'
        when was_open then 'repriced'
        else 'finalised'
    end as cause  -- late_lines, credits (more lines, less cost), fewer_lines; same lines: repriced, finalised when over
from changes
