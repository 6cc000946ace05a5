-- Data that is read across a paid border: runs in one region, the dataset in another.
--
-- What it costs now is what the bill says of the transfers that attribution gave to the runs. What
-- else could be done, each by the month:
--   move the runs to the data: the same machines at that region's price, as the bill has both;
--     unknown where it does not;
--   replicate once: the dataset's storage a second time, as the bill prices the first (else at the
--     list price of `storage_prices`), and one transfer of all of it, spread over a year;
--   cache: the largest read of one run, kept and filled anew each month.
-- A transfer's price is the bill's, by the bytes that the runs read. The waste is what the cheapest
-- saves; where nothing is cheaper there is no finding.
--
-- Known drawbacks: what changes in the dataset is not transferred again in the sum; that GPUs wait
-- for data that comes from afar is not counted; a cache holds the wrong bytes where runs read
-- different parts.
--
-- fix:   do what the evidence names as the cheapest
-- param: window_days = 30     -- days looked at
-- param: horizon_months = 12  -- over which one transfer of all the data is spread
-- param: min_waste = 25.0     -- saved a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

reads as (
    select
        transfers.source,
        transfers.dataset,
        transfers.from_region,
        transfers.to_region,
        transfers.billing_currency,
        transfers.run_id,
        coalesce(user_days.user_id, transfers.user_raw) as owner_user,
        case when transfers.is_team_of_user then coalesce(user_days.team, transfers.team) else transfers.team end
            as owner_team,
        min(transfers.charge_date) as first_date,
        sum(transfers.effective_cost) as effective_cost
    from attribution.run_transfers as transfers
    cross join newest
    left join attribution.user_days using (charge_date, user_raw)
    where transfers.charge_date > newest.as_of - $window_days and transfers.charge_date <= newest.as_of
    group by all
),

run_bytes as (
    select
        run_reads.run_id,
        run_reads.dataset,
        sum(run_reads.read_bytes) // 1048576 as read_mib
    from attribution.run_reads
    cross join newest
    where
        run_reads.charge_date > newest.as_of - $window_days
        and run_reads.charge_date <= newest.as_of
    group by run_reads.run_id, run_reads.dataset
),

crossings as (
    select
        reads.dataset,
        reads.from_region,
        reads.to_region,
        reads.billing_currency,
        min(reads.source) as source,
        arg_max(reads.owner_user, (reads.effective_cost, reads.owner_user)) as owner_user,
        arg_max(reads.owner_team, (reads.effective_cost, reads.owner_team)) as owner_team,
        min(reads.first_date) as since,
        count(distinct reads.run_id) as run_count,
        cast(sum(run_bytes.read_mib) as bigint) as read_mib,
        cast(max(run_bytes.read_mib) as bigint) as largest_mib,
        sum(reads.effective_cost) as transfer_cost
    from reads
    left join run_bytes using (run_id, dataset)
    group by reads.dataset, reads.from_region, reads.to_region, reads.billing_currency
    having sum(reads.effective_cost) > 0
),

daily_sizes as (
    select
        stored_shares.dataset,
        stored_shares.charge_date,
        cast(sum(stored_shares.size_bytes) as bigint) // 1048576 as size_mib
    from attribution.stored_shares
    cross join newest
    where stored_shares.storage_class = '' and stored_shares.charge_date <= newest.as_of
    group by stored_shares.dataset, stored_shares.charge_date
),

sizes as (
    select
        dataset,
        arg_max(size_mib, charge_date) as size_mib
    from daily_sizes
    group by dataset
),

storage as (
    select
        postings.dataset,
        postings.billing_currency,
        per_month(sum(postings.effective_cost), $window_days) as monthly_cost
    from attribution.postings
    cross join newest
    where
        postings.method = 'stored_bytes'
        and postings.x_line_class = 'object_storage'
        and postings.charge_date > newest.as_of - $window_days
        and postings.charge_date <= newest.as_of
    group by postings.dataset, postings.billing_currency
    having sum(postings.effective_cost) > 0
),

-- what a machine of each kind costs an hour in each region, net
machine_prices as (
    select
        machine_days.instance_type,
        machine_days.region_id,
        machine_days.billing_currency,
        scaled(
            sum(machine_days.effective_cost),
            1000000,
            nullif(cast(sum(machine_days.up_hours) * 1000000 as bigint), 0)
        ) as hourly_price
    from attribution.machine_days
    cross join newest
    where machine_days.charge_date > newest.as_of - $window_days and machine_days.charge_date <= newest.as_of
    group by machine_days.instance_type, machine_days.region_id, machine_days.billing_currency
),

machine_types as (
    select distinct
        instance_id,
        instance_type
    from attribution.machine_days
    where instance_type is not null
),

run_machines as (
    select
        postings.run_id,
        postings.region_id,
        postings.billing_currency,
        machine_types.instance_type,
        sum(postings.effective_cost) as effective_cost
    from attribution.postings
    semi join reads on postings.run_id = reads.run_id
    cross join newest
    left join machine_types on lower(postings.resource_id) = machine_types.instance_id
    where
        postings.x_line_class in ('instance', 'managed_job')
        and postings.charge_date > newest.as_of - $window_days
        and postings.charge_date <= newest.as_of
    group by all
),

run_crossings as (
    select distinct
        dataset,
        from_region,
        to_region,
        billing_currency,
        run_id
    from reads
),

moves as (
    select
        run_crossings.dataset,
        run_crossings.from_region,
        run_crossings.to_region,
        run_crossings.billing_currency,
        -- unknown as a whole where the price of any part is
        case
            when count(*) = count(there.hourly_price)
                then
                    per_month(
                        sum(
                            scaled(
                                run_machines.effective_cost,
                                whole_units(there.hourly_price) - whole_units(here.hourly_price),
                                nullif(whole_units(here.hourly_price), 0)
                            )
                        ),
                        $window_days
                    )
        end as monthly_cost
    from run_crossings
    inner join run_machines
        on
            run_crossings.run_id = run_machines.run_id
            and run_crossings.to_region = run_machines.region_id
            and run_crossings.billing_currency = run_machines.billing_currency
    left join machine_prices as here
        on
            run_machines.instance_type = here.instance_type
            and run_machines.region_id = here.region_id
            and run_machines.billing_currency = here.billing_currency
    left join machine_prices as there
        on
            run_machines.instance_type = there.instance_type
            and run_crossings.from_region = there.region_id
            and run_machines.billing_currency = there.billing_currency
    group by
        run_crossings.dataset,
        run_crossings.from_region,
        run_crossings.to_region,
        run_crossings.billing_currency
),

priced as (
    select
        crossings.*,
        bill_sources.provider,
        sizes.size_mib,
        moves.monthly_cost as move_cost,
        per_month(crossings.transfer_cost, $window_days) as monthly_cost,
        scaled(crossings.transfer_cost, sizes.size_mib, nullif(crossings.read_mib, 0)) as copy_cost,
        scaled(crossings.transfer_cost, crossings.largest_mib, nullif(crossings.read_mib, 0)) as fill_cost,
        coalesce(
            storage.monthly_cost,
            scaled(try_cast(storage_prices.price_per_gib_month as decimal(38, 12)), sizes.size_mib, 1024)
        ) as storage_cost,
        case when storage.monthly_cost is null then ', storage at list price' else '' end as caveat
    from crossings
    inner join attribution.bill_sources using (source)
    left join sizes using (dataset)
    left join storage using (dataset, billing_currency)
    left join moves using (dataset, from_region, to_region, billing_currency)
    left join seeds.storage_prices
        on
            bill_sources.provider = storage_prices.provider
            and crossings.billing_currency = storage_prices.billing_currency
),

choices as (
    select
        *,
        case when move_cost < 0 then 0 else move_cost end as move,
        storage_cost + scaled(copy_cost, 1, $horizon_months) as replicate,
        scaled(storage_cost, largest_mib, nullif(size_mib, 0)) + fill_cost as cache,
        -- what the copy saves a day
        scaled(monthly_cost - storage_cost, 10000, 304375) as daily_gain
    from priced
),

-- least() leaves out what is unknown
savings as (
    select
        *,
        least(move, replicate, cache) as cheapest,
        monthly_cost - least(move, replicate, cache) as monthly_waste
    from choices
)

select
    dataset || ' from ' || from_region || ' to ' || to_region as resource_id,
    dataset as resource_name,
    provider,
    from_region as region_id,
    owner_user,
    owner_team,
    since,
    cast(monthly_waste as decimal(38, 12)) as monthly_waste,
    billing_currency,
    'medium' as confidence,
    run_count || case when run_count = 1 then ' run ' else ' runs ' end
    || case to_region when 'internet' then 'outside of the cloud' else 'in ' || to_region end
    || ' read ' || read_mib // 1024 || ' GiB of it from ' || from_region
    || ' in ' || $window_days || ' days: ' || cast(monthly_cost as decimal(38, 2)) || ' a month; '
    || 'moving the runs: ' || coalesce(cast(cast(move as decimal(38, 2)) as varchar), 'price not on the bill')
    || '; a copy of ' || coalesce(size_mib // 1024 || ' GiB', 'unknown size') || ': '
    || coalesce(
        cast(storage_cost as decimal(38, 2)) || ' and once ' || cast(copy_cost as decimal(38, 2))
        || case
            when daily_gain > 0
                then ', paid back in ' || (whole_units(copy_cost) // whole_units(daily_gain) + 1) || ' days'
            else ', never paid back'
        end,
        'unknown'
    )
    || '; a cache of ' || largest_mib // 1024 || ' GiB: '
    || coalesce(cast(cast(cache as decimal(38, 2)) as varchar), 'unknown') || caveat || '; cheapest: '
    || case
        when move = cheapest then 'move the runs'
        when replicate = cheapest then 'replicate'
        else 'cache'
    end as evidence,
    'transfer ' || dataset || ' ' || from_region || ' ' || to_region as conflict_key
from savings
where monthly_waste >= $min_waste
