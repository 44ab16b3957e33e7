{{
    config(
        materialized='changed_days',
        indexes=[{'columns': ['chain', 'block_date']}],
    )
}}
-- What the outputs and inputs that are loaded say of a transaction: whom it paid, and what of it came back to those who paid.
-- Its hash is that of fct_transactions, by the key.
with

outputs as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        value_base,
        recipient,
        is_address,
        is_data,
        coalesce(is_from_coinbase, false) as is_from_coinbase
    from {{ ref('int_outputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

inputs as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        recipient
    from {{ ref('int_inputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

spenders as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        recipient,
        count(*) as input_count
    from inputs
    group by chain, block_height, transaction_hash, block_date, recipient

),

spent as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        cast(sum(input_count) as bigint) as input_count,
        count(recipient) as sender_count
    from spenders
    group by chain, block_height, transaction_hash, block_date

),

paid as (

    select
        outputs.chain,
        outputs.block_height,
        outputs.transaction_hash,
        outputs.block_date,
        bool_or(outputs.is_from_coinbase) as is_from_coinbase,
        count(*) as output_count,
        sum(outputs.value_base) as value_base,
        coalesce(sum(outputs.value_base) filter (where outputs.is_data), 0) as data_base,
        coalesce(sum(outputs.value_base) filter (where spenders.recipient is not null), 0) as self_churn_base,
        count(distinct outputs.recipient) filter (where spenders.recipient is null and outputs.is_address) as recipient_count
    from outputs
    left join spenders
        on
            outputs.chain = spenders.chain
            and outputs.block_height = spenders.block_height
            and outputs.transaction_hash = spenders.transaction_hash
            and outputs.recipient = spenders.recipient
    group by outputs.chain, outputs.block_height, outputs.transaction_hash, outputs.block_date

)

select
    {{
        surrogate_key([
            'coalesce(paid.chain, spent.chain)', 'coalesce(paid.block_height, spent.block_height)',
            'coalesce(paid.transaction_hash, spent.transaction_hash)',
        ])
    }} as transaction_key,
    coalesce(paid.block_date, spent.block_date) as block_date,
    cast(coalesce(paid.block_height, spent.block_height) as integer) as block_height,
    cast(coalesce(paid.output_count, 0) as integer) as output_count,
    cast(coalesce(spent.input_count, 0) as integer) as input_count,
    cast(coalesce(spent.sender_count, 0) as integer) as sender_count,
    cast(coalesce(paid.recipient_count, 0) as integer) as recipient_count,
    coalesce(paid.is_from_coinbase, false) as is_from_coinbase,
    coalesce(paid.chain, spent.chain) as chain,
    paid.value_base,
    paid.data_base,
    paid.self_churn_base
from paid
full join spent
    on
        paid.chain = spent.chain
        and paid.block_height = spent.block_height
        and paid.transaction_hash = spent.transaction_hash
        and paid.block_date = spent.block_date
