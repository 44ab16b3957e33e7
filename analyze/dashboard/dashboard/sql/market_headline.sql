-- Measures: Close Price USD, Return, Market Cap USD, Trading Volume USD, Last Close Day
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

chosen as (

    select
        asset_key,
        close_date as day,
        open_price_usd,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd
    from bi_market_daily
    where close_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        (array_agg(close_price_usd order by day desc) filter (where close_price_usd is not null))[1] as close_price_usd,
        (array_agg(open_price_usd order by day) filter (where open_price_usd is not null))[1] as open_price_usd,
        (array_agg(coingecko_market_cap_usd order by day desc) filter (where coingecko_market_cap_usd is not null))[1] as market_cap_usd,
        sum(volume_24h_usd) as volume_usd,
        max(day) filter (where close_price_usd is not null) as close_date
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.close_price_usd as "Close Price USD",
    (sums.close_price_usd - sums.open_price_usd) / nullif(sums.open_price_usd, 0) as "Return",
    sums.market_cap_usd as "Market Cap USD",
    sums.volume_usd as "Trading Volume USD",
    sums.close_date as "Last Close Day"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
