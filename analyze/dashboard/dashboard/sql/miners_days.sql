-- A row for each day and coin of the span; of a day that is not loaded all is null, and day_status says so.
with

days as (

    select
        asset_key,
        date_key,
        block_date,
        coingecko_id,
        asset_name,
        day_status
    from bi_day_status
    where coingecko_id = any(%(coins)s) and block_date between %(first)s and %(last)s

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
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
    concentrations.block_count,
    concentrations.known_miner_count,
    concentrations.unknown_share_ratio,
    concentrations.hhi,
    concentrations.nakamoto_coefficient,
    minings.hash_price_usd,
    days.day_status
from days
left join concentrations on days.date_key = concentrations.date_key and days.asset_key = concentrations.asset_key
left join minings on days.date_key = minings.date_key and days.asset_key = minings.asset_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
