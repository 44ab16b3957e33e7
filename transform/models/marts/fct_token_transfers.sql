{#
  A transfer is a block's, and a place in it. What its transaction or token has stands there.
  What each index is for (docs/benchmarks/questions.md): by transaction, what else it did; a token's transfers by day; by day, what a
  load deletes of a month, whose rows lie by day. The columns stand by their width, so that none is padded.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key']},
            {'columns': ['token_address', 'block_date']},
            {'columns': ['block_date'], 'type': 'brin'},
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
        block_date,
        token_address,
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
    {{ surrogate_key(['transfers.chain', 'transfers.block_height', 'transfers.transaction_hash']) }} as transaction_key,
    transfers.block_date,
    {{ date_key('transfers.block_date') }} as date_key,
    cast(transfers.block_height as integer) as block_height,
    cast(transfers.transfer_index as integer) as transfer_index,
    cast(transfers.token_decimals as smallint) as token_decimals,
    transfers.is_stablecoin,
    coalesce(blocks.is_final, false) as is_final,
    transfers.chain,
    transfers.token_address,
    transfers.token_symbol,
    transfers.sender_address,
    transfers.recipient_address,
    transfers.value_base
from transfers
left join blocks on {{ is_same_block('transfers', 'blocks') }}
