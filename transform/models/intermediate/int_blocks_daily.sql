{{ config(materialized='incremental', incremental_strategy='changed_days') }}
with

blocks as (

    select
        chain,
        block_height,
        block_date,
        difficulty,
        size_bytes,
        weight_wu,
        transaction_count,
        input_count,
        output_count,
        gas_used,
        gas_limit,
        fee_total_base,
        generation_base,
        uncle_generation_base,
        reward_base,
        burned_base,
        is_settled,
        block_height = 0 or coalesce(lag(block_height) over by_height = block_height - 1, false) as has_parent,
        -- expected hashes of a block: 2^256 / (target + 1); on Ethereum the difficulty is that number
        case
            when chain = 'ethereum' then difficulty
            when (bits & 8388607) > 0 and bits >> 24 between 3 and 32
                then trunc(
                    115792089237316195423570985008687907853269984665640564039457584007913129639936
                    / ((bits & 8388607) * power(cast(256 as numeric), cast((bits >> 24) - 3 as numeric)) + 1)
                )
        end as expected_hashes
    from {{ ref('int_blocks_unioned') }}
    where {{ in_reach_of_changed_days(1) }}
    window by_height as (partition by chain order by block_height)

)

select
    chain,
    block_date,
    count(*) as block_count,
    min(block_height) as first_block_height,
    max(block_height) as last_block_height,
    count(*) filter (where not has_parent) as parentless_block_count,
    cast(sum(transaction_count) as bigint) as transaction_count,
    cast(sum(input_count) as bigint) as input_count,
    cast(sum(output_count) as bigint) as output_count,
    sum(fee_total_base) as fee_total_base,
    sum(generation_base) as generation_base,
    -- what the blocks issued in all; since the merge Ethereum issues where no block says so
    case
        when bool_and(chain <> 'ethereum') then sum(generation_base)
        when bool_and(coalesce(difficulty > 0, false)) then sum(generation_base + uncle_generation_base - burned_base)
    end as net_issuance_base,
    sum(reward_base) as reward_base,
    sum(burned_base) as burned_base,
    -- null where one block's is
    case when count(expected_hashes) = count(*) then sum(expected_hashes) end as expected_hashes,
    round(sum(difficulty) / cast(nullif(count(difficulty), 0) as numeric(30, 20)), 18) as mean_difficulty,
    sum(size_bytes) as size_bytes,
    sum(weight_wu) as weight_wu,
    sum(gas_used) as gas_used,
    sum(gas_limit) as gas_limit,
    bool_and(is_settled) as is_settled
from blocks
where {{ in_changed_days('block_date') }}
group by chain, block_date
