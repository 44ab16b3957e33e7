with

facts as (

    select
        miner_day_key,
        chain,
        miner_key,
        asset_key,
        date_key,
        block_date,
        miner,
        block_count,
        fee_total_base,
        generation_base,
        reward_base,
        fee_total_usd,
        reward_usd,
        price_status,
        has_all_blocks,
        priced_block_count
    from {{ ref('fct_miner_daily') }}

),

assets as (

    select
        chain,
        base_unit_decimals
    from {{ ref('int_chains') }}

)

select
    facts.miner_day_key,
    facts.miner_key,
    facts.asset_key,
    facts.date_key,
    facts.block_date,
    cast(facts.block_date as timestamp) as day_start_at,
    facts.block_count,
    case when lower(facts.miner) = 'unknown' then 0 else facts.block_count end as known_block_count,
    {{ to_native('facts.fee_total_base', 'assets.base_unit_decimals') }} as fee_total_native,
    {{ to_native('facts.generation_base', 'assets.base_unit_decimals') }} as generation_native,
    {{ to_native('facts.reward_base', 'assets.base_unit_decimals') }} as reward_native,
    cast(facts.reward_base as text) as reward_base_text,
    cast(facts.fee_total_usd as numeric(19, 4)) as fee_total_usd,
    cast(facts.reward_usd as numeric(19, 4)) as reward_usd,
    facts.price_status,
    facts.has_all_blocks,
    facts.priced_block_count
from facts
left join assets on facts.chain = assets.chain
