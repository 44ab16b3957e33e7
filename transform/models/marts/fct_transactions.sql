{#
  What each index is for (docs/benchmarks/questions.md): by key, the transaction of an output, input, call or transfer of tokens; by
  hash, since who looks for a transaction has neither its block nor its day, and asks for equality only; by height, a
  block's rows; by fee, the largest of a month without reading the month. A day's rows or an hour's, and what a load
  deletes, lie side by side: for these a few pages say which part of a partition has which times (BRIN).
  The columns stand by their width, so that none is padded.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key']},
            {'columns': ['chain', 'block_height']},
            {'columns': ['transaction_hash'], 'type': 'hash'},
            {'columns': ['chain', 'fee_base']},
            {'columns': ['chain', 'block_date', 'block_time', 'date_key'], 'type': 'brin'},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

transactions as (

    select
        chain,
        block_height,
        {{ surrogate_key(['chain', 'block_height', 'transaction_reference']) }} as transaction_key,
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
        transaction_key,
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
        transactions.transaction_key,
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
    priced.transaction_key,
    {{ surrogate_key(['priced.chain', 'priced.block_height']) }} as block_key,
    coalesce(priced.asset_key, -1) as asset_key,
    {{
        surrogate_key([
            'priced.transaction_type', 'priced.is_coinbase', 'priced.is_synthetic', 'priced.is_failed', 'priced.has_witness',
        ])
    }} as transaction_flags_key,
    coalesce(value_bands.value_band_key, -1) as value_band_key,
    -- a ledger of outputs has neither
    case when priced.chain = 'ethereum' then {{ address_key('priced.chain', 'priced.sender_address') }} end as sender_address_key,
    case when priced.chain = 'ethereum' then {{ address_key('priced.chain', 'priced.recipient_address') }} end as recipient_address_key,
    case
        when priced.created_contract_address is not null then {{ address_key('priced.chain', 'priced.created_contract_address') }}
    end as created_contract_address_key,
    priced.block_time,
    priced.block_date,
    {{ date_key('priced.block_date') }} as date_key,
    cast(priced.block_height as integer) as block_height,
    cast(priced.transaction_index as integer) as transaction_index,
    cast(priced.size_bytes as integer) as size_bytes,
    cast(priced.weight_wu as integer) as weight_wu,
    cast(priced.input_count as integer) as input_count,
    cast(priced.output_count as integer) as output_count,
    cast(priced.gas_used as integer) as gas_used,
    cast({{ time_key('priced.block_time') }} as smallint) as time_key,
    priced.is_coinbase,
    priced.is_synthetic,
    priced.is_user_transaction,
    priced.is_failed,
    priced.is_final,
    priced.chain,
    priced.transaction_hash,
    priced.method_id,
    priced.value_base,
    priced.fee_base,
    priced.input_total_base,
    priced.internal_value_base,
    priced.self_churn_base,
    priced.gas_price_base,
    priced.burned_base,
    priced.fee_base - priced.burned_base as tip_base,
    case when priced.is_user_transaction then {{ fee_rate('priced.fee_base', 'priced.charged_size', 'priced.chain') }} end as fee_rate,
    priced.coin_days_destroyed,
    priced.value_usd,
    {{ to_usd('priced.fee_base', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as fee_usd,
    {{ to_usd('priced.burned_base', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as burned_usd,
    {{ to_usd('(priced.fee_base - priced.burned_base)', 'priced.base_unit_decimals', 'priced.close_price_usd') }} as tip_usd,
    case when priced.close_price_usd is null then 'missing' else 'priced' end as price_status
from priced
left join value_bands
    on
        priced.value_usd >= value_bands.min_value_usd
        and (priced.value_usd < value_bands.max_value_usd or value_bands.max_value_usd is null)
