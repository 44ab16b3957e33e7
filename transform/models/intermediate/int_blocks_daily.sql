{{ config(materialized='changed_days') }}
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
        channel,
        gas_used,
        gas_limit,
        fee_total_base,
        generation_base,
        uncle_generation_base,
        case when chain = 'ethereum' then uncle_generation_base else 0 end as paid_to_uncles_base,
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
        block_interval_seconds,
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
    coalesce(min(blocks.block_height) = min(blocks.block_height) filter (where not measures.has_parent), false) as is_first_parentless,
    coalesce(bool_and(blocks.channel in ('dumps', 'mirror')), false) as is_from_dump,
    -- a figure is null where one block of the day lacks it
    {%- for count in ['transaction', 'input', 'output'] %}
        cast({{ complete_sum('blocks.' ~ count ~ '_count') }} as bigint) as {{ count }}_count,
    {%- endfor %}
    {{ complete_sum('blocks.fee_total_base') }} as fee_total_base,
    -- on Ethereum with what their uncles were given
    {{ complete_sum('blocks.generation_base + blocks.paid_to_uncles_base') }} as generation_base,
    {{ complete_sum('blocks.reward_base + blocks.paid_to_uncles_base') }} as reward_base,
    {{ complete_sum('blocks.uncle_generation_base') }} as uncle_generation_base,
    -- what the blocks issued in all; since the merge Ethereum issues where no block says so
    case
        when bool_and(blocks.chain <> 'ethereum') then {{ complete_sum('blocks.generation_base') }}
        when bool_and(coalesce(blocks.difficulty > 0, false))
            then {{ complete_sum('blocks.generation_base + blocks.paid_to_uncles_base - blocks.burned_base') }}
    end as net_issuance_base,
    {{ complete_sum('blocks.burned_base') }} as burned_base,
    {{ complete_sum('measures.block_work') }} as expected_hashes,
    -- of the blocks whose parent is loaded, so that the time they took is known, whatever part of the day that is
    sum(measures.block_work) filter (where measures.block_interval_seconds is not null) as timed_hashes,
    cast(sum(measures.block_interval_seconds) filter (where measures.block_work is not null) as bigint) as timed_seconds,
    {{ quotient('sum(blocks.difficulty)', 'count(blocks.difficulty)', 18) }} as mean_difficulty,
    {{ complete_sum('blocks.size_bytes') }} as size_bytes,
    {{ complete_sum('blocks.weight_wu') }} as weight_wu,
    cast({{ complete_sum('blocks.gas_used') }} as bigint) as gas_used,
    cast({{ complete_sum('blocks.gas_limit') }} as bigint) as gas_limit,
    -- those before London have no target
    cast(sum(measures.gas_target) as bigint) as gas_target,
    min(measures.base_fee_base) as base_fee_min_base,
    max(measures.base_fee_base) as base_fee_max_base,
    {{ quotient('sum(measures.base_fee_base)', 'count(measures.base_fee_base)', 8) }} as base_fee_mean_base,
    -- over the gas that paid it, which needs no block's own base fee
    {{ quotient(
        'sum(blocks.burned_base) filter (where measures.gas_target is not null)',
        'sum(blocks.gas_used) filter (where measures.gas_target is not null)', 8
    ) }} as base_fee_gas_mean_base,
    bool_and(blocks.is_settled) as is_settled
from blocks
left join measures on blocks.chain = measures.chain and blocks.block_height = measures.block_height
group by blocks.chain, blocks.block_date
