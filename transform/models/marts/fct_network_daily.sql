-- depends_on: {{ ref('int_integrity_failures') }}
with

block_days as (

    select
        asset_key,
        date_key,
        chain,
        block_date,
        count(*) as block_count,
        min(block_height) as first_block_height,
        max(block_height) as last_block_height,
        cast(sum(transaction_count) as bigint) as transaction_count,
        sum(fee_total_base) as fee_total_base,
        sum(generation_base) as generation_base,
        sum(reward_base) as reward_base,
        sum(burned_base) as burned_base,
        bool_and(is_settled) as is_settled
    from {{ ref('fct_blocks') }}
    group by asset_key, date_key, chain, block_date

),

-- the transactions table is opted into per chain, so its count stands beside the blocks' own
transaction_days as (

    select
        asset_key,
        date_key,
        count(*) filter (where is_user_transaction) as loaded_transaction_count
    from {{ ref('fct_transactions') }}
    group by asset_key, date_key

),

assets as (

    select
        asset_key,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        date_key,
        close_price_usd,
        market_cap_usd,
        volume_24h_usd
    from {{ ref('fct_market_prices_daily') }}

)

select
    {{ surrogate_key(['block_days.chain', 'block_days.block_date']) }} as network_day_key,
    block_days.asset_key,
    block_days.date_key,
    block_days.chain,
    block_days.block_date,
    block_days.block_count,
    block_days.first_block_height,
    block_days.last_block_height,
    block_days.transaction_count,
    coalesce(transaction_days.loaded_transaction_count, 0) as loaded_transaction_count,
    block_days.fee_total_base,
    block_days.generation_base,
    block_days.reward_base,
    block_days.burned_base,
    {{ to_usd('block_days.fee_total_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_total_usd,
    {{ to_usd('block_days.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as reward_usd,
    prices.close_price_usd,
    prices.market_cap_usd,
    prices.volume_24h_usd,
    case when prices.close_price_usd is null then 'missing' else 'priced' end as price_status,
    block_days.is_settled
from block_days
left join assets on block_days.asset_key = assets.asset_key
left join transaction_days
    on
        block_days.asset_key = transaction_days.asset_key
        and block_days.date_key = transaction_days.date_key
left join prices
    on
        block_days.asset_key = prices.asset_key
        and block_days.date_key = prices.date_key
