-- The largest transfers of each coin's last day in the span that has some.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

last_days as (

    select
        asset_key,
        max(date_key) as date_key
    from bi_whale_daily
    where block_date between %(first)s and %(last)s
    group by asset_key

),

transfers as (

    select
        asset_key,
        date_key,
        block_time,
        transaction_hash,
        value_native,
        value_base_text,
        value_usd,
        value_basis,
        sender_count,
        recipient_count
    from bi_whale_transfers

)

select
    transfers.block_time,
    coins.coin,
    coins.asset_name,
    transfers.transaction_hash,
    transfers.value_native,
    transfers.value_base_text,
    transfers.value_usd,
    transfers.value_basis,
    transfers.sender_count,
    transfers.recipient_count
from coins
inner join last_days on coins.asset_key = last_days.asset_key
inner join transfers on last_days.asset_key = transfers.asset_key and last_days.date_key = transfers.date_key
order by transfers.value_usd desc, transfers.transaction_hash
limit 100
