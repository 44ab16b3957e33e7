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

networks as (

    select
        asset_key,
        date_key,
        block_count,
        transaction_count,
        active_address_count,
        new_address_count,
        transfer_value_usd,
        transfer_value_native,
        transfer_value_base_text,
        transfer_value_adj_v1_usd,
        hash_rate,
        mean_difficulty,
        utilisation,
        nvt
    from bi_network_daily
    where block_date between %(first)s and %(last)s

)

select
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
    networks.block_count,
    networks.transaction_count,
    networks.active_address_count,
    networks.new_address_count,
    networks.transfer_value_usd,
    networks.transfer_value_native,
    networks.transfer_value_base_text,
    networks.transfer_value_adj_v1_usd,
    networks.hash_rate,
    networks.mean_difficulty,
    networks.utilisation,
    networks.nvt,
    days.day_status
from days
left join networks on days.date_key = networks.date_key and days.asset_key = networks.asset_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
