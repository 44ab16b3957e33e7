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
        fee_total_usd,
        fee_total_native,
        fee_total_base_text,
        fee_p10_usd,
        fee_p25_usd,
        fee_median_usd,
        fee_p75_usd,
        fee_p90_usd,
        fee_rate_weighted_p50,
        fee_rate_weighted_p90,
        zero_fee_count,
        burned_usd,
        burned_native,
        burned_base_text,
        tip_usd
    from bi_network_daily
    where block_date between %(first)s and %(last)s

)

select
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
    networks.fee_total_usd,
    networks.fee_total_native,
    networks.fee_total_base_text,
    networks.fee_p10_usd,
    networks.fee_p25_usd,
    networks.fee_median_usd,
    networks.fee_p75_usd,
    networks.fee_p90_usd,
    networks.fee_rate_weighted_p50,
    networks.fee_rate_weighted_p90,
    networks.zero_fee_count,
    networks.burned_usd,
    networks.burned_native,
    networks.burned_base_text,
    networks.tip_usd,
    days.day_status
from days
left join networks on days.date_key = networks.date_key and days.asset_key = networks.asset_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
