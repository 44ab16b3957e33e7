{{ config(materialized='changed_days') }}
with

transfers as (

    select
        chain,
        block_date,
        token_address,
        token_name,
        token_symbol,
        token_decimals,
        is_stablecoin,
        sender_address,
        recipient_address,
        value_base,
        value_base * cast('1e-' || token_decimals as numeric) as value_tokens
    from {{ ref('int_token_transfers') }}
    where {{ in_changed_days('block_time') }}

),

totals as (

    select
        chain,
        block_date,
        token_address,
        max(token_name) as token_name,
        max(token_symbol) as token_symbol,
        case when min(token_decimals) = max(token_decimals) then max(token_decimals) end as token_decimals,
        is_stablecoin,
        count(*) as transfer_count,
        {{ complete_sum('value_base') }} as volume_base,
        round({{ complete_sum('value_tokens') }}, 18) as volume_tokens
    from transfers
    group by chain, block_date, token_address, is_stablecoin

),

parties as (

    select
        chain,
        block_date,
        token_address,
        sender_address as address,
        true as has_sent
    from transfers

    union all

    select
        chain,
        block_date,
        token_address,
        recipient_address as address,
        false as has_sent
    from transfers

),

-- tokens come from the zero address when they are made, and go there when they are destroyed; it is nobody's
addresses as (

    select
        chain,
        block_date,
        token_address,
        address,
        bool_or(has_sent) as has_sent,
        bool_or(not has_sent) as has_received
    from parties
    where address <> repeat('0', 40)
    group by chain, block_date, token_address, address

),

address_counts as (

    select
        chain,
        block_date,
        token_address,
        count(*) as active_address_count,
        count(*) filter (where has_sent) as sender_count,
        count(*) filter (where has_received) as recipient_count
    from addresses
    group by chain, block_date, token_address

)

select
    totals.chain,
    totals.block_date,
    totals.token_address,
    totals.token_name,
    totals.token_symbol,
    totals.token_decimals,
    totals.is_stablecoin,
    totals.transfer_count,
    totals.volume_base,
    totals.volume_tokens,
    coalesce(address_counts.active_address_count, 0) as active_address_count,
    coalesce(address_counts.sender_count, 0) as sender_count,
    coalesce(address_counts.recipient_count, 0) as recipient_count
from totals
left join address_counts
    on
        totals.chain = address_counts.chain
        and totals.block_date = address_counts.block_date
        and totals.token_address = address_counts.token_address
