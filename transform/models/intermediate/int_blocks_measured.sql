{# Indexes: by chain and day, what a load deletes; by chain and height, what a block's transactions and their parts ask for. #}
{{
    config(
        materialized='changed_days',
        indexes=[{'columns': ['chain', 'block_height'], 'unique': true}, {'columns': ['chain', 'block_date']}],
    )
}}
-- What follows for a block from its own columns and from the block one height below, where that is loaded.
with

blocks as (

    select
        chain,
        block_height,
        block_hash,
        block_time,
        block_date,
        bits,
        difficulty,
        weight_wu,
        gas_used,
        gas_limit,
        is_settled,
        chain = 'ethereum' and block_height >= {{ london_height() }} as has_base_fee,
        -- the dumps state no base fee, but the burn is a multiple of it
        case
            when chain <> 'ethereum' or block_height < {{ london_height() }} then null
            when base_fee_base is not null then base_fee_base
            when gas_used > 0 and mod(coalesce(stated_burned_base, burned_base), gas_used) = 0
                then div(coalesce(stated_burned_base, burned_base), gas_used)
        end as known_base_fee
    from {{ ref('int_blocks_unioned') }}
    where {{ in_lookback_of_changed_days(1) }}

),

linked as (

    select
        chain,
        block_height,
        block_time,
        block_date,
        bits,
        difficulty,
        weight_wu,
        gas_used,
        gas_limit,
        is_settled,
        has_base_fee,
        known_base_fee,
        lag(block_height) over by_height = block_height - 1 as follows_parent,
        lag(block_hash) over by_height as lower_hash,
        lag(block_time) over by_height as lower_time,
        lag(known_base_fee) over by_height as lower_base_fee,
        lag(gas_used) over by_height as lower_gas_used,
        lag(gas_limit) over by_height as lower_gas_limit
    from blocks
    window by_height as (partition by chain order by block_height)

)

select
    chain,
    block_height,
    block_date,
    coalesce(is_settled, false) as is_final,
    block_height = 0 or coalesce(follows_parent, false) as has_parent,
    case when follows_parent then lower_hash end as previous_block_hash,
    case when follows_parent then cast(extract(epoch from block_time - lower_time) as bigint) end as block_interval_seconds,
    {{ block_work('chain', 'bits', 'difficulty') }} as block_work,
    case
        when {{ is_chain_with('chain', 'has_segwit') }} then {{ quotient('weight_wu', '4000000', 8) }}
        when chain = 'ethereum' then {{ quotient('gas_used', 'gas_limit', 8) }}
    end as utilisation,
    case when has_base_fee then gas_limit / 2 end as gas_target,
    -- an empty block burns nothing, but its base fee follows from the block below
    case
        when known_base_fee is not null then known_base_fee
        when has_base_fee and gas_used = 0 and follows_parent
            then {{ next_base_fee('lower_base_fee', 'lower_gas_used', 'lower_gas_limit') | indent(12) }}
    end as base_fee_base
from linked
where {{ in_changed_days('block_date') }}
