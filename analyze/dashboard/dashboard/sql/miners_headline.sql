-- Measures: Blocks Mined, Revenue USD, Revenue per Block USD, Nakamoto Coefficient
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
        block_count,
        reward_usd,
        priced_block_count
    from bi_miner_daily
    where block_date between %(first)s and %(last)s

),

last_days as (

    select
        asset_key,
        (array_agg(nakamoto_coefficient order by block_date desc) filter (where nakamoto_coefficient is not null and has_all_blocks))[1]
            as nakamoto_coefficient
    from bi_miner_concentration_daily
    where block_date between %(first)s and %(last)s
    group by asset_key

),

sums as (

    select
        asset_key,
        sum(block_count) as block_count,
        sum(reward_usd) as reward_usd,
        sum(priced_block_count) as priced_block_count
    from chosen
    group by asset_key

)

select
    coins.coin,
    coins.asset_name,
    sums.block_count as "Blocks Mined",
    sums.reward_usd as "Revenue USD",
    cast(sums.reward_usd as double precision) / nullif(sums.priced_block_count, 0) as "Revenue per Block USD",
    last_days.nakamoto_coefficient as "Nakamoto Coefficient"
from coins
left join sums on coins.asset_key = sums.asset_key
left join last_days on coins.asset_key = last_days.asset_key
order by array_position(%(coins)s, coins.coin)
