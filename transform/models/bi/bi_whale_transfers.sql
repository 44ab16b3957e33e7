{#
  No `with` here: PostgreSQL plans a view that has one by itself, so that the filters of whoever asks reach no index.
#}
{{ config(materialized='view') }}
select
    facts.transaction_key,
    facts.block_key,
    facts.asset_key,
    facts.date_key,
    facts.block_date,
    facts.block_time at time zone 'UTC' as block_time,
    facts.block_height,
    facts.transaction_hash,
    {{ to_native('facts.value_base', 'assets.base_unit_decimals') }} as value_native,
    cast(facts.value_base as text) as value_base_text,
    cast(facts.value_usd as numeric(19, 4)) as value_usd,
    facts.band_usd,
    facts.value_basis,
    facts.sender_count,
    facts.recipient_count
from {{ ref('fct_whale_transfers') }} as facts
left join {{ ref('int_chains') }} as assets on facts.chain = assets.chain
