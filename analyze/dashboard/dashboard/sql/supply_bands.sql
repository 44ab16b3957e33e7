-- The coins of each age, by day (HODL waves): youngest band first.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

bands as (

    select
        age_band_key,
        age_band,
        band_order
    from dim_age_band

),

ages as (

    select
        asset_key,
        age_band_key,
        block_date,
        counted_supply_native,
        counted_supply_base_text,
        supply_share,
        is_partial
    from bi_supply_age_daily
    where block_date between %(first)s and %(last)s

)

select
    ages.block_date as day,
    coins.coin,
    coins.asset_name,
    bands.age_band,
    ages.supply_share,
    ages.counted_supply_native,
    ages.counted_supply_base_text,
    ages.is_partial
from ages
inner join coins on ages.asset_key = coins.asset_key
inner join bands on ages.age_band_key = bands.age_band_key
order by ages.block_date, array_position(%(coins)s, coins.coin), bands.band_order
