-- A row for each day and coin that has prices; a day without a close has nulls and says so.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

risks as (

    select
        asset_key,
        date_key,
        volatility_annualised,
        drawdown_ratio
    from bi_market_risk_daily
    where window_days = 30 and close_date between %(first)s and %(last)s

),

market as (

    select
        asset_key,
        date_key,
        close_date,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd,
        return_ratio,
        price_status
    from bi_market_daily
    where close_date between %(first)s and %(last)s

)

select
    market.close_date as day,
    coins.coin,
    coins.asset_name,
    market.close_price_usd,
    market.return_ratio,
    market.coingecko_market_cap_usd,
    market.volume_24h_usd,
    risks.volatility_annualised,
    risks.drawdown_ratio,
    market.price_status as day_status
from market
inner join coins on market.asset_key = coins.asset_key
left join risks on market.date_key = risks.date_key and market.asset_key = risks.asset_key
order by market.close_date, array_position(%(coins)s, coins.coin)
