-- A row for each day and coin of the span; of a day that is not loaded all is null, and day_status says so.
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

states as (

    select
        asset_key,
        date_key,
        day_status
    from bi_day_status
    where block_date between %(first)s and %(last)s

),

minings as (

    select
        asset_key,
        date_key,
        hash_price_usd
    from bi_mining_daily
    where block_date between %(first)s and %(last)s

),

concentrations as (

    select
        asset_key,
        date_key,
        block_count,
        known_miner_count,
        unknown_share_ratio,
        hhi,
        nakamoto_coefficient
    from bi_miner_concentration_daily
    where block_date between %(first)s and %(last)s

)

select
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    concentrations.block_count,
    concentrations.known_miner_count,
    concentrations.unknown_share_ratio,
    concentrations.hhi,
    concentrations.nakamoto_coefficient,
    minings.hash_price_usd,
    coalesce(states.day_status, 'missing') as day_status
from days
cross join coins
left join concentrations on days.date_key = concentrations.date_key and coins.asset_key = concentrations.asset_key
left join minings on days.date_key = minings.date_key and coins.asset_key = minings.asset_key
left join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
