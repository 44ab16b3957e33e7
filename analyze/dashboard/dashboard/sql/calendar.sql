-- The days of each coin with their place in a calendar and their state.
with

days as (

    select
        date_key,
        block_date,
        coingecko_id,
        asset_name,
        day_status,
        verified_count,
        unverifiable_count,
        failed_count
    from bi_day_status
    where coingecko_id = any(%(coins)s) and block_date between %(first)s and %(last)s

),

dates as (

    select
        date_key,
        week_start_date,
        day_name
    from dim_date

)

select
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
    dates.week_start_date,
    dates.day_name,
    days.day_status,
    days.verified_count,
    days.unverifiable_count,
    days.failed_count
from days
inner join dates on days.date_key = dates.date_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
