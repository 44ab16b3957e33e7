{# Indexes: by chain and day, a day's coins by their age and what a load deletes; by key, what spent an output or was paid by an address. #}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['input_key', 'block_date'], 'unique': true},
            {'columns': ['transaction_key']},
            {'columns': ['spent_output_key']},
            {'columns': ['address_key']},
            {'columns': ['chain', 'block_date', 'block_time']},
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
        block_time,
        block_date,
        created_block_height,
        created_transaction_hash,
        created_output_index,
        created_time,
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
    {{ surrogate_key(['inputs.chain', 'inputs.block_height', 'inputs.transaction_hash', 'inputs.input_index']) }} as input_key,
    {{ surrogate_key(['inputs.chain', 'inputs.block_height', 'inputs.transaction_hash']) }} as transaction_key,
    {{ surrogate_key(['inputs.chain', 'inputs.block_height']) }} as block_key,
    {{ surrogate_key(['inputs.chain', 'inputs.created_block_height', 'inputs.created_transaction_hash', 'inputs.created_output_index']) }}
        as spent_output_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('inputs.block_date') }} as date_key,
    {{ date_key('inputs.created_date') }} as created_date_key,
    case when inputs.recipient is null then -1 else {{ surrogate_key(['inputs.chain', 'inputs.recipient']) }} end as address_key,
    inputs.chain,
    inputs.block_height,
    inputs.transaction_hash,
    inputs.input_index,
    inputs.block_time,
    inputs.block_date,
    inputs.created_block_height,
    inputs.created_transaction_hash,
    inputs.created_output_index,
    inputs.created_time,
    inputs.created_date,
    inputs.recipient,
    inputs.is_address,
    inputs.script_type,
    inputs.is_from_coinbase,
    inputs.value_base,
    {{ to_usd('inputs.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    inputs.lifespan_seconds,
    round(
        inputs.value_base * (case when inputs.lifespan_seconds < 0 then 0 else inputs.lifespan_seconds end / 86400)
        * assets.coins_per_base_unit,
        18
    ) as full_coin_days_destroyed,
    -- the divisor's scale is the quotient's, which PostgreSQL would else cut to 16 digits
    {{ quotient('inputs.value_base * inputs.lifespan_seconds * assets.coins_per_base_unit', '86400', 18) }}
        as coin_days_destroyed,
    coalesce(blocks.is_final, false) as is_final
from inputs
left join blocks on {{ is_same_block('inputs', 'blocks') }}
left join assets on inputs.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and inputs.block_date = prices.close_date
