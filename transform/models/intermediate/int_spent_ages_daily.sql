{{ config(materialized='changed_days', meta={'cumulative': true}) }}
-- Cumulative, because the price of a day of creation may change long after the coins were spent.
with

flows as (

    select
        chain,
        block_date,
        created_date,
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

    {{ priced_flows(['chain', 'block_date', 'created_date', 'output_count', 'value_base']) }}

),

aged as (

    select
        valued.chain,
        valued.block_date,
        age_days.age_band,
        age_days.age_days >= {{ long_term_days() }} as is_long_term,
        valued.output_count,
        valued.value_base,
        valued.base_unit_decimals,
        valued.spent_price,
        valued.created_price
    from valued
    inner join age_days on valued.block_date - valued.created_date = age_days.age_days

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
from aged
group by chain, block_date, age_band, is_long_term
