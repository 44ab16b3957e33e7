{# Indexes: a chain's days, and what a load deletes; a contract, all of its days; days by their key, by which a report joins. #}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'days_beside': true},
        indexes=[
            {'columns': ['chain', 'block_date']},
            {'columns': ['contract_address_key']},
            {'columns': ['date_key']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

contract_days as (

    select
        chain,
        block_date,
        row_kind,
        contract_address,
        contract_label,
        gas_rank,
        contract_count,
        transaction_count,
        failed_transaction_count,
        gas_used,
        fee_base
    from {{ ref('int_contract_gas_daily') }}
    where {{ in_changed_days('block_date') }}

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_transactions,
        is_complete
    from {{ ref('int_day_marks') }}
    where {{ in_changed_days('marked_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['contract_days.chain', 'contract_days.block_date', 'contract_days.contract_label']) }} as contract_gas_day_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('contract_days.block_date') }} as date_key,
    case
        when contract_days.contract_address is null then -1
        else {{ surrogate_key(['contract_days.chain', 'contract_days.contract_address']) }}
    end as contract_address_key,
    contract_days.chain,
    contract_days.block_date,
    contract_days.row_kind,
    contract_days.contract_address,
    contract_days.contract_label,
    contract_days.gas_rank,
    contract_days.contract_count,
    contract_days.transaction_count,
    contract_days.failed_transaction_count,
    contract_days.gas_used,
    contract_days.fee_base,
    {{ to_usd('contract_days.fee_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    -- what the sums in USD are of, for means over several days
    case when prices.asset_key is null then 0 else contract_days.transaction_count end as priced_transaction_count,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
    coalesce(day_marks.has_all_transactions, false) as has_all_transactions,
    coalesce(day_marks.is_complete, false) as is_final
from contract_days
left join day_marks on contract_days.chain = day_marks.chain and contract_days.block_date = day_marks.marked_date
left join assets on contract_days.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and contract_days.block_date = prices.close_date
