-- Coins to choose from, in order of size, and the days that there are.
with

assets as (

    select
        asset_key,
        coingecko_id,
        symbol,
        asset_name
    from dim_asset
    where asset_key <> -1

),

market_spans as (

    select
        asset_key,
        min(close_date) as first_day,
        max(close_date) as last_day
    from bi_market_daily
    group by asset_key

),

chain_spans as (

    select
        asset_key,
        min(block_date) as first_day,
        max(block_date) as last_day
    from bi_network_daily
    group by asset_key

)

select
    assets.coingecko_id as coin,
    assets.asset_name,
    least(market_spans.first_day, chain_spans.first_day) as first_day,
    greatest(market_spans.last_day, chain_spans.last_day) as last_day,
    chain_spans.first_day as first_block_day,
    chain_spans.last_day as last_block_day
from assets
left join market_spans on assets.asset_key = market_spans.asset_key
left join chain_spans on assets.asset_key = chain_spans.asset_key
where market_spans.asset_key is not null or chain_spans.asset_key is not null
order by chain_spans.asset_key is null, assets.symbol, assets.coingecko_id
