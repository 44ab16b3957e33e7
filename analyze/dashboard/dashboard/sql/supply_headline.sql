-- Measures: Supply Coins, Realised Cap USD, MVRV, MVRV Known, SOPR, Partial Days
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
        supply_native,
        realised_cap_usd,
        mvrv,
        mvrv_known,
        spent_value_usd,
        spent_cost_usd,
        is_partial,
        has_all_blocks
    from bi_valuation_daily
    where block_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        (array_agg(supply_native order by day desc) filter (where supply_native is not null and has_all_blocks))[1] as supply_native,
        (array_agg(realised_cap_usd order by day desc) filter (where realised_cap_usd is not null and has_all_blocks))[1] as realised_cap_usd,
        (array_agg(mvrv order by day desc) filter (where mvrv is not null and has_all_blocks))[1] as mvrv,
        (array_agg(mvrv_known order by day desc) filter (where mvrv_known is not null and has_all_blocks))[1] as mvrv_known,
        sum(spent_value_usd) as spent_value_usd,
        sum(spent_cost_usd) as spent_cost_usd,
        count(*) filter (where is_partial) as partial_day_count
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.supply_native as "Supply Coins",
    sums.realised_cap_usd as "Realised Cap USD",
    sums.mvrv as "MVRV",
    sums.mvrv_known as "MVRV Known",
    cast(sums.spent_value_usd as double precision) / nullif(cast(sums.spent_cost_usd as double precision), 0) as "SOPR",
    nullif(sums.partial_day_count, 0) as "Partial Days"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
