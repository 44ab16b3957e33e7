{{ config(materialized='view') }}
with

facts as (

    select
        transaction_key,
        chain,
        block_key,
        asset_key,
        date_key,
        block_date,
        block_time,
        block_height,
        transaction_hash,
        value_base,
        value_usd,
        band_usd,
        value_basis,
        sender_count,
        recipient_count
    from {{ ref('fct_whale_transfers') }}

),

assets as (

    select
        chain,
        base_unit_decimals
    from {{ ref('assets') }}

)

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
from facts
left join assets on facts.chain = assets.chain
