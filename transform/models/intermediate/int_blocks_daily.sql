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
        is_settled
    from {{ ref('int_blocks_unioned') }}
    where {{ in_changed_days('block_time') }}

),

measures as (

    select
        chain,
        block_height,
        has_parent,
        block_work,
        gas_target,
        base_fee_base
    from {{ ref('int_blocks_measured') }}
    where {{ in_changed_days('block_date') }}

)

select
    blocks.chain,
    blocks.block_date,
    count(*) as block_count,
    min(blocks.block_height) as first_block_height,
    max(blocks.block_height) as last_block_height,
    count(*) filter (where not measures.has_parent) as parentless_block_count,
    cast(sum(blocks.transaction_count) as bigint) as transaction_count,
    cast(sum(blocks.input_count) as bigint) as input_count,
    cast(sum(blocks.output_count) as bigint) as output_count,
    sum(blocks.fee_total_base) as fee_total_base,
    sum(blocks.generation_base) as generation_base,
    -- what the blocks issued in all; since the merge Ethereum issues where no block says so
    case
        when bool_and(blocks.chain <> 'ethereum') then sum(blocks.generation_base)
        when bool_and(coalesce(blocks.difficulty > 0, false))
            then sum(blocks.generation_base + blocks.uncle_generation_base - blocks.burned_base)
    end as net_issuance_base,
    sum(blocks.reward_base) as reward_base,
    sum(blocks.burned_base) as burned_base,
    -- null where one block's is
    case when count(measures.block_work) = count(*) then sum(measures.block_work) end as expected_hashes,
    round(sum(blocks.difficulty) / cast(nullif(count(blocks.difficulty), 0) as numeric(30, 20)), 18) as mean_difficulty,
    sum(blocks.size_bytes) as size_bytes,
    sum(blocks.weight_wu) as weight_wu,
    cast(sum(blocks.gas_used) as bigint) as gas_used,
    cast(sum(blocks.gas_limit) as bigint) as gas_limit,
    cast(sum(measures.gas_target) as bigint) as gas_target,
    min(measures.base_fee_base) as base_fee_min_base,
    max(measures.base_fee_base) as base_fee_max_base,
    round(sum(measures.base_fee_base) / cast(nullif(count(measures.base_fee_base), 0) as numeric(30, 10)), 8) as base_fee_mean_base,
    -- over the gas that paid it, for which no block has to tell its own
    round(
        sum(blocks.burned_base) filter (where measures.gas_target is not null)
        / cast(nullif(sum(blocks.gas_used) filter (where measures.gas_target is not null), 0) as numeric(30, 10)), 8
    ) as base_fee_gas_mean_base,
    bool_and(blocks.is_settled) as is_settled
from blocks
left join measures on blocks.chain = measures.chain and blocks.block_height = measures.block_height
group by blocks.chain, blocks.block_date
