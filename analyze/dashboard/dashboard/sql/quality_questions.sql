-- Days with checks that failed or could not be done, and why.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

checks as (

    select
        dq_check_key,
        title
    from dim_dq_check

),

results as (

    select
        dq_check_key,
        asset_key,
        block_date,
        unverifiable_count,
        failed_count,
        failed_heights,
        reasons
    from bi_data_quality_daily
    where
        block_date between %(first)s and %(last)s
        and (unverifiable_count > 0 or failed_count > 0)

)

select
    results.block_date as day,
    coins.coin,
    coins.asset_name,
    checks.title,
    results.failed_count,
    results.unverifiable_count,
    results.failed_heights,
    results.reasons
from results
inner join coins on results.asset_key = coins.asset_key
inner join checks on results.dq_check_key = checks.dq_check_key
order by results.failed_count desc, results.block_date desc, array_position(%(coins)s, coins.coin), checks.title
