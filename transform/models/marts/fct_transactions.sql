{#
  Indexes: by chain and day, a day's or an hour's rows and what a load deletes; by hash, since who looks for a transaction
  has neither its block nor its day, and asks for equality only; by fee, the largest of a month without reading the month.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key', 'block_date'], 'unique': true},
            {'columns': ['chain', 'block_height']},
            {'columns': ['chain', 'block_date', 'block_time']},
            {'columns': ['transaction_hash'], 'type': 'hash'},
            {'columns': ['chain', 'fee_base']},
            {'columns': ['date_key'], 'type': 'brin'},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

transactions as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        -- a dump lists a block's transactions in their order; Ethereum's say theirs
        case
            when transaction_index is not null then transaction_index
            when chain <> 'ethereum' and line_number is not null
                then row_number() over (partition by chain, block_height order by line_number) - 1
        end as transaction_index,
        block_time,
        block_date,
        transaction_type,
        is_coinbase,
        is_synthetic,
        is_failed,
        has_witness,
        size_bytes,
        weight_wu,
        input_count,
        output_count,
        gas_used,
        gas_price_base,
        input_total_base,
        value_base,
        internal_value_base,
        fee_base,
        coin_days_destroyed,
        sender_address,
        recipient_address,
        {{ method_id('transaction_type', 'input_start') }} as method_id
    from {{ ref('int_transactions_unioned') }}
    where {{ in_changed_days('block_time') }}

),

blocks as (

    select
        chain,
        block_height,
        is_final,
        -- nothing was burned before there was a base fee
        case when chain = 'ethereum' and block_height < {{ london_height() }} then 0 else base_fee_base end as base_fee_base
    from {{ ref('int_blocks_measured') }}
    where {{ in_changed_days('block_date') }}

),

transaction_parts as (

    select
        chain,
        block_height,
        transaction_hash,
        output_count,
        input_count,
        self_churn_base,
        created_contract_address
    from {{ ref('int_transaction_parts_unioned') }}
    where {{ in_changed_days('block_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

value_bands as (

    select
        value_band_key,
        min_value_usd,
        max_value_usd
    from {{ ref('dim_value_band') }}
    where min_value_usd is not null

),

priced as (

    select
        transactions.chain,
        transactions.block_height,
        transactions.transaction_reference,
        transactions.transaction_hash,
        transactions.transaction_index,
        transactions.block_time,
        transactions.block_date,
        transactions.transaction_type,
        transactions.is_coinbase,
        transactions.is_synthetic,
        not transactions.is_coinbase and not transactions.is_synthetic as is_user_transaction,
        transactions.is_failed,
        transactions.has_witness,
        transactions.size_bytes,
        transactions.weight_wu,
        transactions.input_count,
        transactions.output_count,
        transactions.gas_used,
        transactions.gas_price_base,
        transactions.input_total_base,
        transactions.value_base,
        transactions.internal_value_base,
        transactions.fee_base,
        transactions.coin_days_destroyed,
        transactions.sender_address,
        transactions.recipient_address,
        transactions.method_id,
        case when not transactions.is_failed then transaction_parts.created_contract_address end as created_contract_address,
        assets.asset_key,
        assets.base_unit_decimals,
        prices.close_price_usd,
        coalesce(blocks.is_final, false) as is_final,
        -- known where all of its inputs and outputs are loaded; a coinbase has none of the first
        case
            when transactions.input_count = transaction_parts.input_count and transactions.output_count = transaction_parts.output_count
                then transaction_parts.self_churn_base
        end as self_churn_base,
        case when not transactions.is_synthetic then transactions.gas_used * blocks.base_fee_base end as burned_base,
        {{ charged_size('transactions.chain', 'transactions.weight_wu', 'transactions.size_bytes', 'transactions.gas_used') | indent(4) }}
            as charged_size,
        {{ to_usd('transactions.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd
    from transactions
    left join blocks on {{ is_same_block('transactions', 'blocks') }}
    left join transaction_parts
        on
            {{ is_same_transaction('transactions', 'transaction_parts') | indent(12) }}
    left join assets on transactions.chain = assets.chain
    left join prices
        on
            assets.asset_key = prices.asset_key
            and transactions.block_date = prices.close_date

)

select
    {{ surrogate_key(['priced.chain', 'priced.block_height', 'priced.transaction_reference']) }} as transaction_key,
    {{ surrogate_key(['priced.chain', 'priced.block_height']) }} as block_key,
    coalesce(priced.asset_key, -1) as asset_key,
    {{ date_key('priced.block_date') }} as date_key,
    priced.chain,
    priced.block_height,
    priced.transaction_reference,
    priced.transaction_hash,
    priced.transaction_index,
    priced.block_time,
    priced.block_date,
    priced.transaction_type,
    priced.is_coinbase,
    priced.is_synthetic,
    priced.is_user_transaction,
    priced.is_failed,
    priced.size_bytes,
    priced.weight_wu,
    priced.input_count,
    priced.output_count,
    priced.gas_used,
    priced.gas_price_base,
    priced.input_total_base,
    priced.value_base,
    priced.internal_value_base,
    priced.fee_base,
    priced.value_usd,
    {{ to_usd('priced.fee_base', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as fee_usd,
    case when priced.close_price_usd is null then 'missing' else 'priced' end as price_status,
    priced.coin_days_destroyed,
    {{
        surrogate_key([
            'priced.transaction_type', 'priced.is_coinbase', 'priced.is_synthetic', 'priced.is_failed', 'priced.has_witness',
        ])
    }} as transaction_flags_key,
    case when priced.is_user_transaction then {{ fee_rate('priced.fee_base', 'priced.charged_size', 'priced.chain') }} end as fee_rate,
    priced.burned_base,
    priced.fee_base - priced.burned_base as tip_base,
    {{ to_usd('priced.burned_base', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as burned_usd,
    {{ to_usd('(priced.fee_base - priced.burned_base)', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as tip_usd,
    coalesce(value_bands.value_band_key, -1) as value_band_key,
    priced.self_churn_base,
    priced.is_final,
    {{ time_key('priced.block_time') }} as time_key,
    priced.sender_address,
    priced.recipient_address,
    priced.method_id,
    priced.created_contract_address
from priced
left join value_bands
    on
        priced.value_usd >= value_bands.min_value_usd
        and (priced.value_usd < value_bands.max_value_usd or value_bands.max_value_usd is null)
