{#
  The key finds an address's days, the day finds what a load deletes of a month, whose rows lie by day. The rows of a day lie in no order.
#}
{{
    config(
        materialized='changed_days',
        meta={'partition_by': 'block_date', 'order_by': ''},
        indexes=[{'columns': ['address_key']}, {'columns': ['block_date'], 'type': 'brin'}],
    )
}}
-- Each address, or id made up for a script, on each day that names it, and in which part.
with

utxo_occurrences as (

    select
        chain,
        block_date,
        recipient as address,
        script_type,
        false as has_paid
    from {{ ref('int_outputs_unioned') }}
    where recipient is not null and {{ in_changed_days('block_time') }}

    union all

    select
        chain,
        block_date,
        recipient as address,
        script_type,
        true as has_paid
    from {{ ref('int_inputs_unioned') }}
    where recipient is not null and {{ in_changed_days('block_time') }}

),

ethereum_transactions as (

    select
        block_date,
        transaction_type in ('create', 'create_tree') as is_creation,
        sender_address,
        recipient_address,
        coalesce(is_failed, false) as is_failed
    from {{ ref('stg_blockchair__ethereum_transactions') }}
    where {{ in_changed_days('block_time', chain='ethereum') }}

),

calls as (

    select
        chain,
        block_date,
        call_type in ('create', 'create2') as is_creation,
        sender_address,
        recipient_address,
        coalesce(is_transferred, false) as is_transferred
    from {{ ref('int_calls_unioned') }}
    where {{ in_changed_days('block_time') }}

),

occurrences as (

    select
        chain,
        block_date,
        address,
        script_type,
        has_paid,
        not has_paid as was_paid,
        false as was_created
    from utxo_occurrences

    union all

    -- who sent a failed transaction paid its fee all the same
    select
        'ethereum' as chain,
        block_date,
        sender_address as address,
        null as script_type,
        true as has_paid,
        false as was_paid,
        false as was_created
    from ethereum_transactions
    where sender_address is not null

    union all

    -- rewards are rows of their own, so that miners are among the paid
    select
        'ethereum' as chain,
        block_date,
        recipient_address as address,
        null as script_type,
        false as has_paid,
        not is_failed as was_paid,
        is_creation and not is_failed as was_created
    from ethereum_transactions
    where recipient_address is not null

    union all

    -- Calls are opted into, and so count for no part: else the counts of a day would depend on whether they are loaded.
    -- A creation is one whose value, be it 0, was transferred.
    select
        calls.chain,
        calls.block_date,
        parties.address,
        null as script_type,
        false as has_paid,
        false as was_paid,
        parties.was_created
    from calls
    cross join
        lateral (
            values
            (calls.sender_address, false),
            (calls.recipient_address, calls.is_creation and calls.is_transferred)
        ) as parties (address, was_created)
    where parties.address is not null

),

address_days as (

    select
        chain,
        block_date,
        address,
        -- a payment to a key and one to its hash name the same address
        case when min(script_type) < max(script_type) then 'several' else min(script_type) end as script_type,
        bool_or(has_paid) as has_paid,
        bool_or(was_paid) as was_paid,
        bool_or(was_created) as was_created
    from occurrences
    group by chain, block_date, address

)

select
    {{ surrogate_key(['chain', 'address']) }} as address_key,
    chain,
    block_date,
    address,
    -- an id that Blockchair makes up for a script without an address has a dash, which no address has
    strpos(address, '-') > 0 as is_synthetic,
    script_type,
    has_paid,
    was_paid,
    was_created
from address_days
