{#
  A call is a transaction's, by its key, and a place in the tree of its calls. What its transaction or addresses have stands
  there.
  What each index is for (docs/benchmarks/questions.md): by transaction, the tree of its calls; by day, what a load deletes of a month,
  whose rows lie by day. The columns stand by their width, so that none is padded.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key']},
            {'columns': ['block_date'], 'type': 'brin'},
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
        call_index,
        call_depth,
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

)

select
    {{ surrogate_key(['calls.chain', 'calls.block_height', 'calls.transaction_reference']) }} as transaction_key,
    {{ address_key('calls.chain', 'calls.sender_address') }} as sender_address_key,
    {{ address_key('calls.chain', 'calls.recipient_address') }} as recipient_address_key,
    calls.block_date,
    {{ date_key('calls.block_date') }} as date_key,
    cast(calls.block_height as integer) as block_height,
    cast(calls.child_call_count as integer) as child_call_count,
    cast(calls.call_depth as smallint) as call_depth,
    calls.is_synthetic,
    calls.is_failed,
    calls.is_transferred,
    coalesce(blocks.is_final, false) as is_final,
    calls.chain,
    calls.call_index,
    calls.call_type,
    calls.value_base,
    calls.fail_reason
from calls
left join blocks on {{ is_same_block('calls', 'blocks') }}
