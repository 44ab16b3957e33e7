{#
  No `with` here: PostgreSQL plans a view that has one by itself, so that the filters of whoever asks reach no index.
#}
{{ config(materialized='view') }}
select
    facts.transaction_key,
    facts.block_key,
    facts.asset_key,
    facts.date_key,
    facts.transaction_flags_key,
    facts.block_date,
    facts.block_time at time zone 'UTC' as block_time,
    facts.block_height,
    facts.transaction_hash,
    facts.transaction_index,
    facts.is_user_transaction,
    facts.size_bytes,
    facts.weight_wu,
    facts.gas_used,
    facts.input_count,
    facts.output_count,
    {{ to_native('facts.value_base', 'assets.base_unit_decimals') }} as value_native,
    cast(facts.value_base as text) as value_base_text,
    cast(facts.value_usd as numeric(19, 4)) as value_usd,
    {{ to_native('facts.fee_base', 'assets.base_unit_decimals') }} as fee_native,
    cast(facts.fee_base as text) as fee_base_text,
    cast(facts.fee_usd as double precision) as fee_usd,
    facts.price_status
from {{ ref('fct_transactions') }} as facts
left join {{ ref('int_chains') }} as assets on facts.chain = assets.chain
