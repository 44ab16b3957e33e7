-- Measures by miner: Blocks Mined, Block Share, Revenue USD
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

miners as (

    select
        miner_key,
        miner
    from dim_miner

),

sums as (

    select
        asset_key,
        miner_key,
        cast(sum(block_count) as bigint) as block_count,
        sum(reward_usd) as reward_usd
    from bi_miner_daily
    where block_date between %(first)s and %(last)s
    group by asset_key, miner_key

)

select
    coins.coin,
    coins.asset_name,
    miners.miner,
    sums.block_count as "Blocks Mined",
    cast(sums.block_count as double precision) / nullif(sum(sums.block_count) over (partition by sums.asset_key), 0) as "Block Share",
    sums.reward_usd as "Revenue USD"
from sums
inner join coins on sums.asset_key = coins.asset_key
inner join miners on sums.miner_key = miners.miner_key
order by array_position(%(coins)s, coins.coin), sums.block_count desc, miners.miner
