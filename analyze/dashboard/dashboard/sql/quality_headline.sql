-- Measures: Verified, Unverifiable, Failed, Days with a Failure
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
        verified_count,
        unverifiable_count,
        failed_count
    from bi_data_quality_daily
    where block_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        sum(verified_count) as verified_count,
        sum(unverifiable_count) as unverifiable_count,
        sum(failed_count) as failed_count,
        count(distinct day) filter (where failed_count > 0) as failed_day_count
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.verified_count as "Verified",
    sums.unverifiable_count as "Unverifiable",
    sums.failed_count as "Failed",
    nullif(sums.failed_day_count, 0) as "Days with a Failure"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
