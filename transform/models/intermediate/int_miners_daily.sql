{{ config(materialized='changed_days') }}

with

blocks as (

    select
        chain,
        block_date,
        {{ miner_name('miner') }} as miner,
        fee_total_base,
        generation_base,
        reward_base
    from {{ ref('int_blocks_unioned') }}
    where {{ in_changed_days('block_time') }}

)

select
    chain,
    block_date,
    miner,
    lower(miner) = 'unknown' as is_unknown,
    count(*) as block_count,
    sum(fee_total_base) as fee_total_base,
    sum(generation_base) as generation_base,
    sum(reward_base) as reward_base
from blocks
group by chain, block_date, miner
