{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['output_key', 'block_date'], 'unique': true},
            {'columns': ['transaction_key']},
            {'columns': ['address_key']},
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
        block_time,
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
    {{ surrogate_key(['outputs.chain', 'outputs.block_height', 'outputs.transaction_hash', 'outputs.output_index']) }} as output_key,
    {{ surrogate_key(['outputs.chain', 'outputs.block_height', 'outputs.transaction_hash']) }} as transaction_key,
    {{ surrogate_key(['outputs.chain', 'outputs.block_height']) }} as block_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('outputs.block_date') }} as date_key,
    case when outputs.recipient is null then -1 else {{ surrogate_key(['outputs.chain', 'outputs.recipient']) }} end as address_key,
    outputs.chain,
    outputs.block_height,
    outputs.transaction_hash,
    outputs.output_index,
    outputs.block_time,
    outputs.block_date,
    outputs.recipient,
    outputs.is_address,
    outputs.script_type,
    outputs.is_from_coinbase,
    outputs.is_spendable,
    outputs.value_base,
    {{ to_usd('outputs.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    coalesce(blocks.is_final, false) as is_final
from outputs
left join blocks on {{ is_same_block('outputs', 'blocks') }}
left join assets on outputs.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and outputs.block_date = prices.close_date
