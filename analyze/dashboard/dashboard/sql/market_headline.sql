-- Measures: Close Price USD, Return, Market Cap USD, Trading Volume USD
with

coins as (

    select
        asset_key,
        symbol,
        asset_name
    from dim_asset
    where symbol = any(%(coins)s)

),

market as (

    select
        asset_key,
        close_date,
        open_price_usd,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd
    from bi_market_daily
    where close_date between %(first)s and %(last)s

),

ends as (

    select
        asset_key,
        (array_agg(close_price_usd order by close_date desc) filter (where close_price_usd is not null))[1] as close_price_usd,
        max(close_date) filter (where close_price_usd is not null) as close_date,
        (array_agg(open_price_usd order by close_date) filter (where open_price_usd is not null))[1] as open_price_usd,
        (array_agg(coingecko_market_cap_usd order by close_date desc) filter (where coingecko_market_cap_usd is not null))[1]
            as market_cap_usd,
        sum(volume_24h_usd) as volume_usd
    from market
    group by asset_key

)

select
    coins.symbol,
    coins.asset_name,
    ends.close_price_usd as "Close Price USD",
    (ends.close_price_usd - ends.open_price_usd) / nullif(ends.open_price_usd, 0) as "Return",
    ends.market_cap_usd as "Market Cap USD",
    ends.volume_usd as "Trading Volume USD",
    ends.close_date
from coins
left join ends on coins.asset_key = ends.asset_key
order by array_position(%(coins)s, coins.symbol)
