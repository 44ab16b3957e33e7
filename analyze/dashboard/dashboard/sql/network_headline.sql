-- Measures: Transactions, Active Addresses, Transfer Value USD, Hash Rate
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
        transaction_count,
        active_address_count,
        transfer_value_usd,
        hash_rate,
        has_all_blocks
    from bi_network_daily
    where block_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        sum(transaction_count) as transaction_count,
        avg(active_address_count) filter (where has_all_blocks) as active_address_count,
        sum(transfer_value_usd) as transfer_value_usd,
        avg(hash_rate) as hash_rate
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.transaction_count as "Transactions",
    sums.active_address_count as "Active Addresses",
    sums.transfer_value_usd as "Transfer Value USD",
    sums.hash_rate as "Hash Rate"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
