{#
  Indexes: by chain and day, what a load deletes; by transaction, what else it did; a token's transfers by day.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['token_transfer_key', 'block_date'], 'unique': true},
            {'columns': ['chain', 'block_date']},
            {'columns': ['transaction_key']},
            {'columns': ['token_address', 'block_date']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

transfers as (

    select
        chain,
        block_height,
        -- a block's transfers are listed in their order, and nothing else distinguishes two equal ones
        row_number() over (partition by chain, block_height order by line_number) - 1 as transfer_index,
        transaction_hash,
        block_time,
        block_date,
        token_address,
        token_name,
        token_symbol,
        token_decimals,
        is_stablecoin,
        sender_address,
        recipient_address,
        value_base
    from {{ ref('int_token_transfers') }}
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
    {{ surrogate_key(['transfers.chain', 'transfers.block_height', 'transfers.transfer_index']) }} as token_transfer_key,
    {{ surrogate_key(['transfers.chain', 'transfers.block_height', 'transfers.transaction_hash']) }} as transaction_key,
    {{ surrogate_key(['transfers.chain', 'transfers.block_height']) }} as block_key,
    {{ date_key('transfers.block_date') }} as date_key,
    {{ time_key('transfers.block_time') }} as time_key,
    transfers.chain,
    transfers.block_height,
    transfers.transfer_index,
    transfers.transaction_hash,
    transfers.block_time,
    transfers.block_date,
    transfers.token_address,
    transfers.token_name,
    transfers.token_symbol,
    transfers.token_decimals,
    transfers.is_stablecoin,
    transfers.sender_address,
    transfers.recipient_address,
    transfers.value_base,
    coalesce(blocks.is_final, false) as is_final
from transfers
left join blocks on {{ is_same_block('transfers', 'blocks') }}
