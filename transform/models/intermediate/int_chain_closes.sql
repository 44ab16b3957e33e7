{{ config(materialized='table', indexes=[{'columns': ['chain', 'close_date'], 'unique': true}]) }}
-- The close of each loaded chain's coin on every day since the oldest block there can be, also on days that have none: beside it
-- stands the nearest one, by which the weight of what has no close is judged, never its value.
with

chain_assets as (

    select
        chains.chain,
        chains.coingecko_id,
        chains.base_unit_decimals
    from {{ ref('int_chains') }} as chains
    where
        chains.is_default
        or chains.chain in (select chain_days.chain from {{ ref('int_chain_days') }} as chain_days)

),

closes as (

    select
        chain_assets.chain,
        market_closes.close_date,
        market_closes.close_price
    from {{ ref('int_market_closes') }} as market_closes
    inner join chain_assets on market_closes.coin_id = chain_assets.coingecko_id
    where market_closes.vs_currency = 'usd' and market_closes.close_price is not null

),

last_days as (

    select max(close_date) as last_date from closes
    union all
    select max(block_date) as last_date from {{ ref('int_chain_days') }}

),

newest as (

    select max(last_date) as last_date from last_days

),

days as (

    select
        chain_assets.chain,
        chain_assets.base_unit_decimals,
        cast(generate_series(timestamp '2009-01-03', cast(newest.last_date as timestamp), interval '1 day') as date) as close_date
    from chain_assets
    cross join newest

),

-- days from one close up to the next have its number, those before the first have 0
numbered as (

    select
        days.chain,
        days.base_unit_decimals,
        days.close_date,
        closes.close_price,
        count(closes.close_price) over (partition by days.chain order by days.close_date) as close_number
    from days
    left join closes on days.chain = closes.chain and days.close_date = closes.close_date

)

select
    chain,
    close_date,
    base_unit_decimals,
    close_price,
    -- the day's own or the last before it, else the first of all
    coalesce(
        max(close_price) over (partition by chain, close_number),
        max(close_price) filter (where close_number = 1) over (partition by chain)
    ) as nearest_close_price
from numbered
