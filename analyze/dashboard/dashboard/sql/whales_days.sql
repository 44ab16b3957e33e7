-- A row for each day and coin of the span; null where there is no large transfer.
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
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    transfers.transfer_count,
    transfers.value_usd,
    transfers.value_base_text,
    transfers.largest_usd,
    coalesce(states.day_status, 'missing') as day_status
from days
cross join coins
left join transfers on days.date_key = transfers.date_key and coins.asset_key = transfers.asset_key
left join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
