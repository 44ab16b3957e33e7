-- A row for each coin: which days are there, and up to when they are complete and checked.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

states as (

    select
        asset_key,
        first_block_date,
        last_block_date,
        complete_through_date,
        checked_through_date,
        verified_through_date,
        day_count,
        verified_day_count,
        unverifiable_day_count,
        partial_day_count,
        failed_day_count,
        missing_day_count,
        last_close_date,
        missing_close_count
    from bi_asset_status

)

select
    coins.coin,
    coins.asset_name,
    states.first_block_date,
    states.last_block_date,
    states.complete_through_date,
    states.checked_through_date,
    states.verified_through_date,
    states.day_count,
    states.verified_day_count,
    states.unverifiable_day_count,
    states.partial_day_count,
    states.failed_day_count,
    states.missing_day_count,
    states.last_close_date,
    states.missing_close_count
from coins
left join states on coins.asset_key = states.asset_key
order by array_position(%(coins)s, coins.coin)
