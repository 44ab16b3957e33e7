{#
  Indexes: by chain and day, a day's or an hour's rows and what a load deletes; by hash, since who looks for a transaction
  has neither its block nor its day, and asks for equality only; by fee, the largest of a month without reading the month.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='changed_days',
        full_refresh=false,
        on_schema_change='append_new_columns',
        meta={'partition_by': 'block_date'},
        indexes=[
            {'columns': ['transaction_key', 'block_date'], 'unique': true},
            {'columns': ['chain', 'block_height']},
            {'columns': ['chain', 'block_date', 'block_time']},
            {'columns': ['transaction_hash'], 'type': 'hash'},
            {'columns': ['chain', 'fee_base']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') }}
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
        coin_days_destroyed
    from {{ ref('int_transactions_unioned') }}
    where {{ in_changed_days('block_time') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

)

select
    {{ surrogate_key(['transactions.chain', 'transactions.block_height', 'transactions.transaction_reference']) }} as transaction_key,
    {{ surrogate_key(['transactions.chain', 'transactions.block_height']) }} as block_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('transactions.block_date') }} as date_key,
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
    {{ to_usd('transactions.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as value_usd,
    {{ to_usd('transactions.fee_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    transactions.coin_days_destroyed,
    {{
        surrogate_key([
            'transactions.transaction_type', 'transactions.is_coinbase', 'transactions.is_synthetic', 'transactions.is_failed',
            'transactions.has_witness',
        ])
    }} as transaction_flags_key
from transactions
left join assets on transactions.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and transactions.block_date = prices.close_date
