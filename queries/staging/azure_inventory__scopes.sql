-- What Azure was asked to list on a day, and whether it let all of it be listed.
--
-- Its lists tell of all regions at once: a kind is whole in every region in which the subscription
-- has anything, and in none where any list about it was refused. `global` stands for the regions in
-- which there is nothing, so that a day on which all was refused is known for such.
--
-- grain:     one row per day, subscription, region and kind of thing
-- key:       charge_date, source, sub_account_id, region_id, resource_type
-- partition: charge_date
-- feeds:     listed_scopes
-- owner:     ml-platform

with

answers as (
    select
        cast(x_unit as date) as charge_date,
        x_source as source,
        account_id as sub_account_id,
        resource_type,
        answer,
        error,
        observed_at
    from raw.azure_inventory__answers
),

items as (
    select
        charge_date,
        source,
        sub_account_id,
        unnest(json_extract(answer, '$.value[*]')) as item
    from answers
),

regions as (
    select
        charge_date,
        source,
        sub_account_id,
        azure_region(item) as region_id
    from items
    union
    select
        charge_date,
        source,
        sub_account_id,
        'global' as region_id
    from answers
)

select
    answers.charge_date,
    answers.source,
    'Microsoft' as provider,
    answers.sub_account_id,
    regions.region_id,
    answers.resource_type,
    bool_and(answers.error is null) as is_whole,
    max(answers.observed_at) as observed_at
from answers
inner join regions using (charge_date, source, sub_account_id)
where answers.resource_type <> 'date'
group by all
