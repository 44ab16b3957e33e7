{#
  An output is a transaction's, by its key, and a place in it. What its transaction, address, coin or day has stands there.
  What each index is for (docs/benchmarks/questions.md): by transaction, its outputs, and the one that an input has spent; by
  address, what it was paid; by day, what a load deletes of a month, whose rows lie by day.
  The columns stand by their width, so that none is padded.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key']},
            {'columns': ['address_key']},
            {'columns': ['block_date'], 'type': 'brin'},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

outputs as (

    select
        chain,
        block_height,
        transaction_hash,
        output_index,
        block_date,
        value_base,
        recipient,
        is_address,
        script_type,
        is_from_coinbase,
        is_spendable
    from {{ ref('int_outputs_unioned') }}
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

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['outputs.chain', 'outputs.block_height', 'outputs.transaction_hash']) }} as transaction_key,
    {{ address_key('outputs.chain', 'outputs.recipient') }} as address_key,
    outputs.block_date,
    {{ date_key('outputs.block_date') }} as date_key,
    cast(outputs.block_height as integer) as block_height,
    cast(outputs.output_index as integer) as output_index,
    outputs.is_address,
    outputs.is_from_coinbase,
    outputs.is_spendable,
    coalesce(blocks.is_final, false) as is_final,
    outputs.chain,
    outputs.script_type,
    outputs.value_base,
    {{ to_usd('outputs.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd
from outputs
left join blocks on {{ is_same_block('outputs', 'blocks') }}
left join assets on outputs.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and outputs.block_date = prices.close_date
