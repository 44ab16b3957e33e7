{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'days_beside': true},
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
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

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        is_complete
    from {{ ref('int_day_marks') }}
    where {{ in_changed_days('marked_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['miner_days.chain', 'miner_days.block_date', 'miner_days.miner']) }} as miner_day_key,
    {{ surrogate_key(['miner_days.chain', 'miner_days.miner']) }} as miner_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('miner_days.block_date') }} as date_key,
    miner_days.chain,
    miner_days.block_date,
    miner_days.miner,
    miner_days.block_count,
    {{ quotient('miner_days.block_count', 'miner_days.chain_block_count', 18) }} as block_share_ratio,
    miner_days.fee_total_base,
    miner_days.generation_base,
    miner_days.reward_base,
    {{ to_usd('miner_days.fee_total_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_total_usd,
    {{ to_usd('miner_days.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as reward_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    coalesce(day_marks.is_complete, false) as is_final,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
    -- what the sums in USD are of, for means over several days
    case when prices.asset_key is null then 0 else miner_days.block_count end as priced_block_count
from miner_days
left join day_marks on miner_days.chain = day_marks.chain and miner_days.block_date = day_marks.marked_date
left join assets on miner_days.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and miner_days.block_date = prices.close_date
