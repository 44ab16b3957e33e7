-- A row for each day and coin of the span; of a day that is not loaded all is null, and day_status says so.
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
    days.date_day as day,
    coins.coin,
    coins.asset_name,
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
    coalesce(states.day_status, 'missing') as day_status
from days
cross join coins
left join networks on days.date_key = networks.date_key and coins.asset_key = networks.asset_key
left join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
