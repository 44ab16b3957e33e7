{{ config(materialized='incremental', incremental_strategy='changed_days', meta={'onward': true}) }}
-- Onward, because the price of a day of creation may change long after the coins were spent.
with

flows as (

    select
        chain,
        block_date,
        created_date,
        block_date - created_date as age_days,
        output_count,
        value_base
    from {{ ref('int_coin_age_flows') }}
    where event_type = 'spent' and {{ in_changed_days('block_date') }}

),

closes as (

    select
        chain,
        base_unit_decimals,
        close_date,
        close_price
    from {{ ref('int_chain_closes') }}
    where close_price is not null

),

-- each age in days with its band, to join by; the last band's end is a century after its beginning
age_days as (

    select
        age_band,
        generate_series(min_days, coalesce(max_days, min_days + 36525)) as age_days
    from {{ ref('age_bands') }}

),

valued as (

    select
        flows.chain,
        flows.block_date,
        age_days.age_band,
        flows.age_days >= {{ long_term_days() }} as is_long_term,
        flows.output_count,
        flows.value_base,
        spent_closes.base_unit_decimals,
        -- both or neither: a sum of values beside a sum of costs has to be over the same coins
        case when created_closes.close_price is not null then spent_closes.close_price end as spent_price,
        case when spent_closes.close_price is not null then created_closes.close_price end as created_price
    from flows
    inner join age_days on flows.age_days = age_days.age_days
    left join closes as spent_closes
        on flows.chain = spent_closes.chain and flows.block_date = spent_closes.close_date
    left join closes as created_closes
        on flows.chain = created_closes.chain and flows.created_date = created_closes.close_date

)

select
    chain,
    block_date,
    age_band,
    is_long_term,
    cast(sum(output_count) as bigint) as spent_output_count,
    sum(value_base) as spent_base,
    coalesce(sum(value_base) filter (where spent_price is not null), 0) as priced_spent_base,
    -- exact, and rounded where it is published
    sum(value_base * spent_price) * cast('1e-' || max(base_unit_decimals) as numeric) as spent_value_usd,
    sum(value_base * created_price) * cast('1e-' || max(base_unit_decimals) as numeric) as spent_cost_usd
from valued
group by chain, block_date, age_band, is_long_term
