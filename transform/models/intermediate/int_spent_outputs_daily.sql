{{ config(materialized='changed_days', meta={'cumulative': true}) }}
-- Cumulative, because the price of a day of creation may change long after the coins were spent.
with

flows as (

    select
        chain,
        block_date,
        created_date,
        coalesce(is_young, false) as is_young,
        output_count,
        value_base,
        full_coin_days_base,
        coin_seconds_base
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

valued as (

    {{ priced_flows([
        'chain', 'block_date', 'created_date', 'is_young', 'output_count', 'value_base', 'full_coin_days_base', 'coin_seconds_base'
    ]) }}

)

select
    chain,
    block_date,
    cast(sum(output_count) as bigint) as spent_output_count,
    sum(value_base) as spent_base,
    coalesce(sum(value_base) filter (where block_date - created_date >= 365), 0) as revived_1y_base,
    coalesce(sum(value_base) filter (where spent_price is not null), 0) as priced_spent_base,
    {{ to_usd('sum(value_base * spent_price)', 'max(base_unit_decimals)', '1') }} as spent_value_usd,
    {{ to_usd('sum(value_base * created_price)', 'max(base_unit_decimals)', '1') }} as spent_cost_usd,
    {{ to_usd('sum(value_base * (greatest(spent_price, created_price) - created_price))', 'max(base_unit_decimals)', '1') }}
        as realised_profit_usd,
    {{ to_usd('sum(value_base * (created_price - least(spent_price, created_price)))', 'max(base_unit_decimals)', '1') }}
        as realised_loss_usd,
    sum(full_coin_days_base) as full_coin_days_base,
    sum(coin_seconds_base) as coin_seconds_base,
    sum(value_base * (block_date - created_date)) as calendar_coin_days_base,
    coalesce(sum(value_base) filter (where block_date - created_date >= 730), 0) as revived_2y_base,
    coalesce(sum(value_base) filter (where block_date - created_date >= 1825), 0) as revived_5y_base,
    coalesce(sum(value_base) filter (where not is_young), 0) as adjusted_spent_base,
    coalesce(sum(value_base) filter (where not is_young and spent_price is not null), 0) as priced_adjusted_spent_base,
    round(
        sum(value_base * spent_price) filter (where not is_young) * cast('1e-' || max(base_unit_decimals) as numeric), 8
    ) as adjusted_spent_value_usd,
    round(
        sum(value_base * created_price) filter (where not is_young) * cast('1e-' || max(base_unit_decimals) as numeric), 8
    ) as adjusted_spent_cost_usd
from valued
group by chain, block_date
