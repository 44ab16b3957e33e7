-- A row for each day and coin of the span; a day without a close has nulls and says so.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

days as (

    select
        date_key,
        date_day
    from dim_date
    where date_day between %(first)s and %(last)s

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
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd,
        return_ratio,
        price_status
    from bi_market_daily
    where close_date between %(first)s and %(last)s

)

select
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    market.close_price_usd,
    market.return_ratio,
    market.coingecko_market_cap_usd,
    market.volume_24h_usd,
    risks.volatility_annualised,
    risks.drawdown_ratio,
    coalesce(market.price_status, 'missing') as day_status
from days
cross join coins
left join market on days.date_key = market.date_key and coins.asset_key = market.asset_key
left join risks on days.date_key = risks.date_key and coins.asset_key = risks.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
