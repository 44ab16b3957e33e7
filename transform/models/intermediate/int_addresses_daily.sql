{{ config(materialized='incremental', incremental_strategy='changed_days') }}
-- Addresses of the day, each once: those that were paid and those that paid. An id made up for a script is no address.
with

paid as (

    select distinct
        chain,
        block_date,
        recipient as address
    from {{ ref('int_outputs_unioned') }}
    where is_address and {{ in_changed_days('block_time') }}

),

paying as (

    select distinct
        chain,
        block_date,
        recipient as address
    from {{ ref('int_inputs_unioned') }}
    where is_address and {{ in_changed_days('block_time') }}

),

ethereum_transactions as (

    select
        block_date,
        sender_address,
        recipient_address,
        coalesce(is_failed, false) as is_failed
    from {{ ref('stg_blockchair__ethereum_transactions') }}
    where {{ in_changed_days('block_time', chain='ethereum') }}

),

addresses as (

    select
        chain,
        block_date,
        address,
        false as has_paid
    from paid

    union all

    select
        chain,
        block_date,
        address,
        true as has_paid
    from paying

    union all

    -- who sent a failed transaction paid its fee all the same
    select
        'ethereum' as chain,
        block_date,
        sender_address as address,
        true as has_paid
    from ethereum_transactions
    where sender_address is not null

    union all

    -- rewards are rows of their own, so that miners are among the paid
    select
        'ethereum' as chain,
        block_date,
        recipient_address as address,
        false as has_paid
    from ethereum_transactions
    where recipient_address is not null and not is_failed

),

address_days as (

    select
        chain,
        block_date,
        address,
        bool_or(has_paid) as has_paid,
        bool_or(not has_paid) as was_paid
    from addresses
    group by chain, block_date, address

)

select
    chain,
    block_date,
    count(*) as active_address_count,
    count(*) filter (where has_paid) as paying_address_count,
    count(*) filter (where was_paid) as paid_address_count
from address_days
group by chain, block_date
