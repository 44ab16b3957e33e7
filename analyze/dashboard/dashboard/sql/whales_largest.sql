-- The largest transfers of the last seven days of the span.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

transfers as (

    select
        asset_key,
        block_time,
        transaction_hash,
        value_native,
        value_base_text,
        value_usd,
        value_basis,
        sender_count,
        recipient_count
    from bi_whale_transfers
    where block_date between greatest(%(last)s - 6, %(first)s) and %(last)s

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
from transfers
inner join coins on transfers.asset_key = coins.asset_key
order by transfers.value_usd desc, transfers.transaction_hash
limit 100
