{{ config(materialized='incremental', incremental_strategy='changed_days', on_schema_change='append_new_columns') }}
-- depends_on: {{ ref('int_integrity_failures') }}
with

miner_days as (

    select
        chain,
        block_date,
        miner,
        block_count,
        sum(block_count) over (partition by chain, block_date) as chain_block_count,
        fee_total_base,
        generation_base,
        reward_base
    from {{ ref('int_miners_daily') }}
    where {{ in_changed_days('block_date') }}

),

block_days as (

    select
        chain,
        block_date,
        is_settled
    from {{ ref('int_blocks_daily') }}
    where {{ in_changed_days('block_date') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

)

select
    {{ surrogate_key(['miner_days.chain', 'miner_days.block_date', 'miner_days.miner']) }} as miner_day_key,
    {{ surrogate_key(['miner_days.chain', 'miner_days.miner']) }} as miner_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('miner_days.block_date') }} as date_key,
    miner_days.chain,
    miner_days.block_date,
    miner_days.miner,
    miner_days.block_count,
    round(miner_days.block_count / cast(miner_days.chain_block_count as numeric(38, 18)), 18) as block_share_ratio,
    miner_days.fee_total_base,
    miner_days.generation_base,
    miner_days.reward_base,
    {{ to_usd('miner_days.fee_total_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_total_usd,
    {{ to_usd('miner_days.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as reward_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    coalesce(block_days.is_settled, false) as is_final
from miner_days
left join block_days on miner_days.chain = block_days.chain and miner_days.block_date = block_days.block_date
left join assets on miner_days.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and miner_days.block_date = prices.close_date
