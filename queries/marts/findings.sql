-- One row is about a finding: something that costs money and seems to be of no use, and what became of it.
--
-- Waste adds up over rows with is_counted and state open, in one currency: of several findings on
-- the same dollars the largest counts. What is no longer found is resolved; it is verified once at
-- least seven later days of the bill show that the resource costs less than in the seven days
-- before it was last found. Only what the bill names (machines, disks, snapshots, addresses) can be.
-- A finding that comes back is open again; within 14 days it is the same as before.
--
-- grain: one row per finding, those of earlier nights too
-- key:   finding_id
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

found as (
    select
        left(sha256(detector || chr(10) || resource_id || chr(10) || billing_currency), 16) as finding_id,
        found.*
    from detectors.found
),

lives as (
    select
        finding_id,
        coalesce(found.detector, known.detector) as detector,
        coalesce(found.resource_id, known.resource_id) as resource_id,
        case when found.detector is null then known.resource_name else found.resource_name end as resource_name,
        case when found.detector is null then known.provider else found.provider end as provider,
        case when found.detector is null then known.region_id else found.region_id end as region_id,
        case when found.detector is null then known.owner_user else found.owner_user end as owner_user,
        case when found.detector is null then known.owner_team else found.owner_team end as owner_team,
        coalesce(found.since, known.since) as since,
        coalesce(found.monthly_waste, known.monthly_waste) as monthly_waste,
        coalesce(found.billing_currency, known.billing_currency) as billing_currency,
        coalesce(found.confidence, known.confidence) as confidence,
        coalesce(found.evidence, known.evidence) as evidence,
        coalesce(found.fix, known.fix) as fix,
        coalesce(found.conflict_key, known.conflict_key) as conflict_key,
        coalesce(found.counts, known.counts) as counts,
        found.detector is not null as is_found,
        case
            when found.detector is null then known.opened_date
            when known.finding_id is null or newest.as_of - known.resolved_date > 14 then newest.as_of
            else known.opened_date
        end as opened_date,
        case when found.detector is null then known.seen_date else newest.as_of end as seen_date,
        case when found.detector is null then coalesce(known.resolved_date, newest.as_of) end as resolved_date,
        case when found.detector is null then known.verified_monthly_saving end as known_saving,
        known.muted_until,
        newest.as_of
    from found
    full join raw.findings as known using (finding_id)
    cross join newest
),

-- the week before it was last seen, and all that the bill has since it was gone, but its newest day
weeks as (
    select
        finding_id,
        resource_key(resource_id) as resource_key,
        billing_currency,
        seen_date,
        resolved_date,
        as_of
    from lives
    where not is_found and as_of - resolved_date between 7 and 35
),

daily_costs as (
    select
        resource_key(resource_id) as resource_key,
        charge_date,
        billing_currency,
        sum(effective_cost) as effective_cost
    from attribution.postings
    where
        resource_id is not null
        and charge_date >= (select min(seen_date) - 7 from weeks)
        and resource_key(resource_id) in (select resource_key from weeks)
    group by resource_key(resource_id), charge_date, billing_currency
),

savings as (
    select
        weeks.finding_id,
        per_month(
            coalesce(
                sum(daily_costs.effective_cost) filter (
                    where daily_costs.charge_date between weeks.seen_date - 7 and weeks.seen_date - 1
                ),
                0
            ),
            7
        )
        - per_month(
            coalesce(
                sum(daily_costs.effective_cost) filter (
                    where daily_costs.charge_date between weeks.resolved_date and weeks.as_of - 1
                ),
                0
            ),
            max(weeks.as_of - weeks.resolved_date)
        ) as monthly_saving
    from weeks
    inner join daily_costs using (resource_key, billing_currency)
    group by weeks.finding_id
),

states as (
    select
        lives.*,
        nullif(greatest(coalesce(savings.monthly_saving, lives.known_saving, 0), 0), 0) as saving
    from lives
    left join savings using (finding_id)
)

select
    finding_id,  -- stays the same from night to night
    detector,  -- the file of queries/detectors that found it
    resource_id,
    resource_name,
    provider,
    region_id,
    owner_user,  -- a person's id, as in members; null: nobody is known
    owner_team,
    since,  -- the first day of the waste that is known
    cast(monthly_waste as decimal(38, 12)) as monthly_waste,  -- net price billed, for 30.4375 days; as last found
    billing_currency,
    confidence,  -- high, medium or low
    evidence,
    fix,
    conflict_key,  -- findings with one key are about the same dollars
    coalesce(
        counts
        and row_number() over (
            partition by conflict_key, billing_currency, is_found, counts
            order by monthly_waste desc, detector asc, resource_id asc
        ) = 1,
        false
    ) as is_counted,  -- the largest of its conflict_key: only these are added up
    case
        when not is_found and saving > 0 then 'verified'
        when not is_found then 'resolved'
        when muted_until > as_of then 'muted'
        else 'open'
    end as state,  -- open, muted, resolved, verified
    opened_date,  -- the newest day of the bill when it was first found
    seen_date,  -- the newest day of the bill when it was last found
    muted_until,  -- a person's wish; null: none
    resolved_date,  -- the newest day of the bill when it was gone; null: it is there
    case when not is_found then cast(saving as decimal(38, 12)) end
        as verified_monthly_saving  -- what the resource costs less since; null until the bill shows it
from states
