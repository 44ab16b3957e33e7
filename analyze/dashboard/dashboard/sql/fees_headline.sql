-- Measures: Fees USD, Fee per Transaction USD, Median Fee USD, Fee Share of Revenue
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
        fee_total_usd,
        fee_median_usd,
        burned_usd,
        reward_usd,
        priced_transaction_count,
        has_all_transactions
    from bi_network_daily
    where block_date between %(first)s and %(last)s

),

sums as (

    select
        asset_key,
        sum(fee_total_usd) as fee_total_usd,
        sum(priced_transaction_count) as priced_transaction_count,
        avg(fee_median_usd) filter (where has_all_transactions) as fee_median_usd,
        sum(fee_total_usd - coalesce(burned_usd, 0)) filter (where reward_usd is not null) as kept_fee_usd,
        sum(reward_usd) filter (where fee_total_usd is not null) as reward_usd
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.fee_total_usd as "Fees USD",
    cast(sums.fee_total_usd as double precision) / nullif(sums.priced_transaction_count, 0) as "Fee per Transaction USD",
    sums.fee_median_usd as "Median Fee USD",
    cast(sums.kept_fee_usd as double precision) / nullif(cast(sums.reward_usd as double precision), 0) as "Fee Share of Revenue"
from coins
left join sums on coins.asset_key = sums.asset_key
order by array_position(%(coins)s, coins.coin)
