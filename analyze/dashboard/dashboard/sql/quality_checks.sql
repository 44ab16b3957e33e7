-- Measures by check: Verified, Unverifiable, Failed
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
        check_group,
        title,
        severity,
        covers
    from dim_dq_check

),

sums as (

    select
        dq_check_key,
        asset_key,
        cast(sum(verified_count) as bigint) as verified_count,
        cast(sum(unverifiable_count) as bigint) as unverifiable_count,
        cast(sum(failed_count) as bigint) as failed_count
    from bi_data_quality_daily
    where block_date between %(first)s and %(last)s
    group by dq_check_key, asset_key

)

select
    coins.coin,
    coins.asset_name,
    checks.check_group,
    checks.title,
    checks.severity,
    sums.verified_count as "Verified",
    sums.unverifiable_count as "Unverifiable",
    sums.failed_count as "Failed",
    checks.covers
from sums
inner join coins on sums.asset_key = coins.asset_key
inner join checks on sums.dq_check_key = checks.dq_check_key
order by sums.failed_count desc, array_position(%(coins)s, coins.coin), checks.check_group, checks.title
