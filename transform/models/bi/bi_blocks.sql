{#
  No `with` here: PostgreSQL plans a view that has one by itself, so that the filters of whoever asks reach no index.
#}
{{ config(materialized='view') }}
select
    facts.block_key,
    facts.asset_key,
    facts.date_key,
    facts.time_key,
    facts.miner_key,
    facts.block_date,
    facts.block_time at time zone 'UTC' as block_time,
    facts.block_height,
    facts.block_hash,
    facts.transaction_count,
    facts.size_bytes,
    facts.weight_wu,
    facts.gas_used,
    facts.gas_limit,
    cast(facts.difficulty as double precision) as difficulty,
    facts.block_interval_seconds,
    {{ to_native('facts.fee_total_base', 'assets.base_unit_decimals') }} as fee_total_native,
    cast(facts.fee_total_base as text) as fee_total_base_text,
    {{ to_native('facts.reward_base', 'assets.base_unit_decimals') }} as reward_native,
    cast(facts.reward_base as text) as reward_base_text,
    cast(facts.fee_total_usd as numeric(19, 4)) as fee_total_usd,
    cast(facts.reward_usd as numeric(19, 4)) as reward_usd,
    facts.price_status,
    facts.is_settled,
    facts.header_check
from {{ ref('fct_blocks') }} as facts
left join {{ ref('int_chains') }} as assets on facts.chain = assets.chain
