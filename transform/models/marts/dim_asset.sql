-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

chain_assets as (

    select
        chains.coingecko_id,
        chains.symbol,
        chains.asset_name,
        chains.chain,
        chains.base_unit_name,
        chains.base_unit_decimals,
        chains.genesis_date
    from {{ ref('int_chains') }} as chains
    where
        chains.is_default
        or chains.chain in (select chain_days.chain from {{ ref('int_chain_days') }} as chain_days)

),

-- the newest snapshot names the other coins that CoinGecko was asked for
snapshot_names as (

    select distinct on (coin_id)
        coin_id,
        upper(symbol) as symbol,
        coin_name,
        max_supply_native
    from {{ ref('stg_coingecko__coins_markets') }}
    order by coin_id asc, observed_at desc, vs_currency asc

),

first_closes as (

    select
        coin_id,
        min(close_date) as first_price_date
    from {{ ref('int_market_closes') }}
    where vs_currency = 'usd' and close_price is not null
    group by coin_id

),

priced_coins as (

    select coin_id from {{ ref('int_market_closes') }}
    union
    select coin_id from snapshot_names

),

market_only_assets as (

    select
        priced_coins.coin_id as coingecko_id,
        snapshot_names.symbol,
        snapshot_names.coin_name as asset_name
    from priced_coins
    left join snapshot_names on priced_coins.coin_id = snapshot_names.coin_id
    left join chain_assets on priced_coins.coin_id = chain_assets.coingecko_id
    where chain_assets.coingecko_id is null

),

assets as (

    select
        {{ surrogate_key(['coingecko_id']) }} as asset_key,
        coingecko_id,
        symbol,
        asset_name,
        chain,
        base_unit_name,
        base_unit_decimals,
        genesis_date,
        true as has_chain
    from chain_assets

    union all

    select
        {{ surrogate_key(['coingecko_id']) }} as asset_key,
        coingecko_id,
        coalesce(symbol, 'unknown') as symbol,
        coalesce(asset_name, coingecko_id) as asset_name,
        null as chain,
        null as base_unit_name,
        null as base_unit_decimals,
        null as genesis_date,
        false as has_chain
    from market_only_assets

    union all

    select
        -1 as asset_key,
        'unknown' as coingecko_id,
        'unknown' as symbol,
        'Unknown' as asset_name,
        null as chain,
        null as base_unit_name,
        null as base_unit_decimals,
        null as genesis_date,
        false as has_chain

)

select
    assets.asset_key,
    assets.coingecko_id,
    assets.symbol,
    assets.asset_name,
    assets.chain,
    assets.base_unit_name,
    assets.base_unit_decimals,
    assets.genesis_date,
    assets.has_chain,
    first_closes.first_price_date,
    snapshot_names.max_supply_native
from assets
left join first_closes on assets.coingecko_id = first_closes.coin_id
left join snapshot_names on assets.coingecko_id = snapshot_names.coin_id
