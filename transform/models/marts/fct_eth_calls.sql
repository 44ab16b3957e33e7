{#
  Indexes: by chain and day, what a load deletes; by transaction, the tree of its calls; by address, what an address sent
  or received.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['call_key', 'block_date'], 'unique': true},
            {'columns': ['chain', 'block_date']},
            {'columns': ['transaction_key']},
            {'columns': ['sender_address_key']},
            {'columns': ['recipient_address_key']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

calls as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        call_index,
        call_depth,
        block_time,
        block_date,
        call_type,
        sender_address,
        recipient_address,
        child_call_count,
        value_base,
        is_failed,
        fail_reason,
        coalesce(is_transferred, false) as is_transferred,
        is_synthetic
    from {{ ref('int_calls_unioned') }}
    where {{ in_changed_days('block_time') }}

),

blocks as (

    select
        chain,
        block_height,
        is_final
    from {{ ref('int_blocks_measured') }}
    where {{ in_changed_days('block_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['calls.chain', 'calls.block_height', 'calls.transaction_reference', 'calls.call_index']) }} as call_key,
    case
        when calls.transaction_hash is null then -1
        else {{ surrogate_key(['calls.chain', 'calls.block_height', 'calls.transaction_hash']) }}
    end as transaction_key,
    {{ surrogate_key(['calls.chain', 'calls.block_height']) }} as block_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('calls.block_date') }} as date_key,
    case
        when calls.sender_address is null then -1
        else {{ surrogate_key(['calls.chain', 'calls.sender_address']) }}
    end as sender_address_key,
    case
        when calls.recipient_address is null then -1
        else {{ surrogate_key(['calls.chain', 'calls.recipient_address']) }}
    end as recipient_address_key,
    calls.chain,
    calls.block_height,
    calls.transaction_reference,
    calls.transaction_hash,
    calls.call_index,
    calls.call_depth,
    calls.block_time,
    calls.block_date,
    calls.call_type,
    calls.sender_address,
    calls.recipient_address,
    calls.child_call_count,
    calls.is_synthetic,
    calls.is_failed,
    calls.fail_reason,
    calls.is_transferred,
    calls.value_base,
    case when calls.is_transferred then calls.value_base else 0 end as transferred_value_base,
    coalesce(blocks.is_final, false) as is_final
from calls
left join blocks on {{ is_same_block('calls', 'blocks') }}
left join assets on calls.chain = assets.chain
