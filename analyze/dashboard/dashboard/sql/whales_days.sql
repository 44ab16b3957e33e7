-- Measures by day: Whale Transfers Count, Whale Value USD, Largest Transfer USD
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

sums as (

    select
        asset_key,
        date_key,
        count(*) as transfer_count,
        sum(value_usd) as value_usd,
        max(value_usd) as largest_usd
    from bi_whale_transfers
    where block_date between %(first)s and %(last)s
    group by asset_key, date_key

)

select
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    sums.transfer_count as "Whale Transfers Count",
    sums.value_usd as "Whale Value USD",
    sums.largest_usd as "Largest Transfer USD",
    coalesce(states.day_status, 'missing') as day_status
from days
cross join coins
left join sums on days.date_key = sums.date_key and coins.asset_key = sums.asset_key
left join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
