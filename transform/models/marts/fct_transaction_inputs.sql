{#
  An input is a transaction's, by its key, and a place in it; so is the output that it spends. What the transaction, address,
  coin or day has stands there.
  What each index is for (docs/benchmarks/questions.md): by transaction, its inputs; by the transaction that created it, what spent an
  output; by day, the inputs of a day and what a load deletes of a month, whose rows lie by day.
  The columns stand by their width, so that none is padded.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key']},
            {'columns': ['created_transaction_key']},
            {'columns': ['block_date'], 'type': 'brin'},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- What the coins cost is not here: that price is of another day, whose change would not reach these rows. By
-- created_date_key the close of that day is one join away, and fct_valuation_daily has the sums.
with

inputs as (

    select
        chain,
        block_height,
        transaction_hash,
        input_index,
        block_date,
        created_block_height,
        created_transaction_hash,
        created_output_index,
        created_date,
        value_base,
        lifespan_seconds,
        recipient,
        is_address,
        script_type,
        is_from_coinbase
    from {{ ref('int_inputs_unioned') }}
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

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals,
        cast('1e-' || base_unit_decimals as numeric) as coins_per_base_unit
    from {{ ref('dim_asset') }}
    where chain is not null

),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['inputs.chain', 'inputs.block_height', 'inputs.transaction_hash']) }} as transaction_key,
    {{ surrogate_key(['inputs.chain', 'inputs.created_block_height', 'inputs.created_transaction_hash']) }} as created_transaction_key,
    {{ address_key('inputs.chain', 'inputs.recipient') }} as address_key,
    inputs.block_date,
    inputs.created_date,
    {{ date_key('inputs.block_date') }} as date_key,
    {{ date_key('inputs.created_date') }} as created_date_key,
    cast(inputs.block_height as integer) as block_height,
    cast(inputs.input_index as integer) as input_index,
    cast(inputs.created_block_height as integer) as created_block_height,
    cast(inputs.created_output_index as integer) as created_output_index,
    cast(inputs.lifespan_seconds as integer) as lifespan_seconds,
    inputs.is_address,
    inputs.is_from_coinbase,
    coalesce(blocks.is_final, false) as is_final,
    inputs.chain,
    inputs.script_type,
    inputs.value_base,
    {{ to_usd('inputs.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd,
    round(
        inputs.value_base * (case when inputs.lifespan_seconds < 0 then 0 else inputs.lifespan_seconds end / 86400)
        * assets.coins_per_base_unit,
        18
    ) as full_coin_days_destroyed,
    -- the divisor's scale is the quotient's, which PostgreSQL would else cut to 16 digits
    {{ quotient('inputs.value_base * inputs.lifespan_seconds * assets.coins_per_base_unit', '86400', 18) }}
        as coin_days_destroyed
from inputs
left join blocks on {{ is_same_block('inputs', 'blocks') }}
left join assets on inputs.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and inputs.block_date = prices.close_date
