-- Each day of the span with its place in a calendar and its state; null where the chain has no such day.
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
        date_day,
        week_start_date,
        day_name
    from dim_date
    where date_day between %(first)s and %(last)s

),

states as (

    select
        asset_key,
        date_key,
        day_status,
        verified_count,
        unverifiable_count,
        failed_count
    from bi_day_status
    where block_date between %(first)s and %(last)s

)

select
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    days.week_start_date,
    days.day_name,
    states.day_status,
    states.verified_count,
    states.unverifiable_count,
    states.failed_count
from days
cross join coins
inner join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
