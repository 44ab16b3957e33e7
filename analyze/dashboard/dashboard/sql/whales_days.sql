-- A row for each day and coin of the span; null where there is no large transfer.
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

transfers as (

    select
        asset_key,
        date_key,
        transfer_count,
        value_base_text,
        value_usd,
        largest_usd
    from bi_whale_daily
    where block_date between %(first)s and %(last)s

)

select
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
    transfers.transfer_count,
    transfers.value_usd,
    transfers.value_base_text,
    transfers.largest_usd,
    days.day_status
from days
left join transfers on days.date_key = transfers.date_key and days.asset_key = transfers.asset_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
