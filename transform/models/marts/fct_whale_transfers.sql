{#
  Indexes: a chain's days, and what a load deletes; a day by its key. None by value: for the largest of a week the planner
  would read it through all the other weeks.
#}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        indexes=[
            {'columns': ['chain', 'block_date']},
            {'columns': ['date_key']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set thresholds = var('whale_thresholds_usd') | sort %}
with

transactions as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        block_time,
        block_date,
        input_count,
        output_count,
        value_base
    from {{ ref('int_transactions_unioned') }}
    where not is_coinbase and not is_synthetic and not is_failed and not is_to_itself and {{ in_changed_days('block_time') }}

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

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

-- change only ever lowers a value, so whoever is below the first threshold with it stays there without it
candidates as (

    select
        transactions.chain,
        transactions.block_height,
        transactions.transaction_reference,
        transactions.transaction_hash,
        {{ surrogate_key(['transactions.chain', 'transactions.block_height', 'transactions.transaction_reference']) }} as transaction_key,
        transactions.block_time,
        transactions.block_date,
        transactions.input_count,
        transactions.output_count,
        transactions.value_base,
        assets.asset_key,
        assets.base_unit_decimals,
        prices.close_price_usd,
        coalesce(blocks.is_final, false) as is_final
    from transactions
    left join blocks on {{ is_same_block('transactions', 'blocks') }}
    left join assets on transactions.chain = assets.chain
    -- on a day without a close no transfer is known to be that large; its rows come with the price
    left join prices
        on
            assets.asset_key = prices.asset_key
            and transactions.block_date = prices.close_date
    where {{ to_usd('transactions.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} >= {{ thresholds[0] }}

),

transfers as (

    select
        chain,
        block_height,
        transaction_key,
        output_count,
        input_count,
        sender_count,
        recipient_count,
        data_base,
        value_base - data_base - self_churn_base as net_value_base
    from {{ ref('int_transaction_transfers') }}
    where {{ in_changed_days('block_date') }}

),

measured as (

    select
        candidates.chain,
        candidates.block_height,
        candidates.transaction_reference,
        candidates.transaction_hash,
        candidates.transaction_key,
        candidates.block_time,
        candidates.block_date,
        candidates.asset_key,
        candidates.base_unit_decimals,
        candidates.close_price_usd,
        candidates.is_final,
        -- data outputs pay nobody, whatever they hold
        candidates.value_base - coalesce(transfers.data_base, 0) as gross_value_base,
        -- the change is known where all inputs and outputs are loaded; an account's transaction has none
        case
            when candidates.chain = 'ethereum' then 'net'
            when candidates.input_count = transfers.input_count and candidates.output_count = transfers.output_count then 'net'
            else 'gross'
        end as value_basis,
        coalesce(transfers.net_value_base, 0) as net_value_base,
        case when candidates.chain = 'ethereum' then 1 else transfers.sender_count end as sender_count,
        case when candidates.chain = 'ethereum' then 1 else transfers.recipient_count end as recipient_count
    from candidates
    left join transfers
        on
            {{ is_same_transaction('candidates', 'transfers') | indent(12) }}

),

valued as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        transaction_key,
        block_time,
        block_date,
        asset_key,
        gross_value_base,
        value_basis,
        case when value_basis = 'net' and chain <> 'ethereum' then net_value_base else gross_value_base end as value_base,
        case when value_basis = 'net' then sender_count end as sender_count,
        case when value_basis = 'net' then recipient_count end as recipient_count,
        base_unit_decimals,
        close_price_usd,
        is_final
    from measured

),

priced as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        transaction_key,
        block_time,
        block_date,
        asset_key,
        gross_value_base,
        value_basis,
        value_base,
        sender_count,
        recipient_count,
        is_final,
        {{ to_usd('value_base', 'base_unit_decimals', 'close_price_usd') }} as value_usd
    from valued

),

value_bands as (

    select
        value_band_key,
        min_value_usd,
        max_value_usd
    from {{ ref('dim_value_band') }}
    where min_value_usd is not null

)

select
    priced.transaction_key,
    {{ surrogate_key(['priced.chain', 'priced.block_height']) }} as block_key,
    priced.asset_key,
    {{ date_key('priced.block_date') }} as date_key,
    priced.chain,
    priced.block_height,
    priced.transaction_reference,
    priced.transaction_hash,
    priced.block_time,
    priced.block_date,
    priced.value_base,
    priced.gross_value_base,
    priced.value_basis,
    priced.value_usd,
    cast(case
        {%- for threshold in thresholds | reverse %}
            when priced.value_usd >= {{ threshold }} then {{ threshold }}
        {%- endfor %}
    end as bigint) as band_usd,
    priced.sender_count,
    priced.recipient_count,
    coalesce(value_bands.value_band_key, -1) as value_band_key,
    priced.is_final,
    {{ time_key('priced.block_time') }} as time_key
from priced
left join value_bands
    on
        priced.value_usd >= value_bands.min_value_usd
        and (priced.value_usd < value_bands.max_value_usd or value_bands.max_value_usd is null)
where priced.value_usd >= {{ thresholds[0] }}
