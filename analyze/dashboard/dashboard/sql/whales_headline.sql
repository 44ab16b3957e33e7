-- Measures: Whale Transfers Count, Whale Value USD, Largest Transfer USD
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

chosen as (

    select
        asset_key,
        block_date as day,
        transfer_count,
        value_usd,
        largest_usd
    from bi_whale_daily
    where block_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        cast(sum(transfer_count) as bigint) as transfer_count,
        sum(value_usd) as value_usd,
        max(largest_usd) as largest_usd
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.transfer_count as "Whale Transfers Count",
    sums.value_usd as "Whale Value USD",
    sums.largest_usd as "Largest Transfer USD"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
