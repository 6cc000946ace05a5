-- What a model behind an API cost on a day, by project, key and user.
--
-- Vendors bill by project and model, and count tokens by key, user and model. A cost is split by the
-- tokens of its own kind (input, cached input, output) of that project, model and day:
--   all:   each key and user pays by its tokens;
--   some:  where nobody has tokens of that kind, by all tokens of the model in the project;
--   none:  (images, searches, storage) one line, which the project's tag owns.
-- Parts are cut by one running share, so they add up. The tag `user` is the user's id, else the key's.
-- Amounts in the smallest unit of a currency (cents) are divided by 100, exactly but for what is beyond
-- 12 places.
--
-- Flaws: a batch or a priority token counts like any other of its kind, though its price differs.
--
-- grain:     one row per cost, key and user
-- partition: charge_date
-- feeds:     cost_lines
-- owner:     ml-platform

with

costs as (
    select
        row_number() over () as cost_no,
        *,
        cast(
            cast(amount as decimal(38, 20))
            * case when minor_digits = 2 then cast(0.01 as decimal(3, 2)) else cast(1 as decimal(3, 2)) end
            as decimal(38, 12)
        ) as cost
    from raw.model_api_usage__records
    where kind = 'cost'
),

used_tokens as (
    select
        x_source,
        day,
        coalesce(project_id, '') as project,
        model,
        token_type,
        coalesce(api_key_id, '') as api_key,
        coalesce(user_id, '') as user_key,
        sum(tokens) as tokens
    from raw.model_api_usage__records
    where kind = 'usage'
    group by all
),

used_of_kind as (
    select
        costs.cost_no,
        used_tokens.api_key,
        used_tokens.user_key,
        used_tokens.tokens
    from costs
    inner join used_tokens
        on
            costs.x_source = used_tokens.x_source
            and costs.day = used_tokens.day
            and coalesce(costs.project_id, '') = used_tokens.project
            and costs.model = used_tokens.model
            and costs.token_type = used_tokens.token_type
),

used_of_model as (
    select
        costs.cost_no,
        used_tokens.api_key,
        used_tokens.user_key,
        sum(used_tokens.tokens) as tokens
    from costs
    anti join used_of_kind using (cost_no)
    inner join used_tokens
        on
            costs.x_source = used_tokens.x_source
            and costs.day = used_tokens.day
            and coalesce(costs.project_id, '') = used_tokens.project
            and costs.model = used_tokens.model
    group by costs.cost_no, used_tokens.api_key, used_tokens.user_key
),

users as (
    select * from used_of_kind
    union all
    select * from used_of_model
),

shares as (
    select
        cost_no,
        api_key,
        user_key,
        tokens,
        sum(tokens) over (partition by cost_no order by api_key, user_key rows unbounded preceding) as upto,
        sum(tokens) over (partition by cost_no) as total
    from users
),

parts as (
    select
        costs.*,
        nullif(shares.api_key, '') as paying_key,
        nullif(shares.user_key, '') as paying_user,
        shares.tokens as part_tokens,
        case
            when shares.cost_no is null then costs.cost
            else cut(
                costs.cost,
                share_of(shares.upto - shares.tokens, shares.total),
                share_of(shares.upto, shares.total)
            )
        end as part_cost
    from costs
    left join shares using (cost_no)
)

select
    x_source as source,
    cast(date_trunc('month', day) as date) as billing_period,
    cast(day as date) as charge_date,
    cast(null as timestamp) as charge_hour,
    day as charge_period_start,
    day + interval 1 day as charge_period_end,
    cast(part_cost as decimal(38, 12)) as billed_cost,
    cast(part_cost as decimal(38, 12)) as effective_cost,
    cast(part_cost as decimal(38, 12)) as list_cost,
    cast(part_cost as decimal(38, 12)) as contracted_cost,
    currency as billing_currency,
    organization as billing_account_id,
    organization as billing_account_name,
    project_id as sub_account_id,
    cast(null as varchar) as sub_account_name,
    cast(null as varchar) as invoice_id,
    provider as service_provider_name,
    provider as host_provider_name,
    'AI and Machine Learning' as service_category,
    provider || ' API' as service_name,
    cast(null as varchar) as region_id,
    cast(null as varchar) as availability_zone,
    model as resource_id,
    model as resource_name,
    'Model' as resource_type,
    'Usage' as charge_category,
    cast(null as varchar) as charge_class,
    'Usage-Based' as charge_frequency,
    coalesce(description, model) as charge_description,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_status,
    'Standard' as pricing_category,
    cast(part_tokens as decimal(38, 12)) as consumed_quantity,
    case when part_tokens is not null then 'Tokens' end as consumed_unit,
    cast(null as varchar) as sku_id,
    token_type as sku_meter,
    map_from_entries(
        list_filter(
            [
                struct_pack(k := 'api_key', v := paying_key),
                struct_pack(k := 'model', v := model),
                struct_pack(k := 'project', v := project_id),
                struct_pack(k := 'user', v := coalesce(paying_user, paying_key))
            ],
            lambda tag: tag.v is not null
        )
    ) as tags,
    'saas' as x_line_class,
    cast(null as varchar) as x_instance_type,
    cast(null as decimal(18, 6)) as x_gpu_count,
    cast(null as decimal(18, 6)) as x_cpu_count,
    cast(null as decimal(18, 6)) as x_memory_gib,
    cast(null as varchar) as x_from_region,
    cast(null as varchar) as x_to_region
from parts
