with

facts as (

    select
        supply_age_key,
        chain,
        asset_key,
        date_key,
        age_band_key,
        block_date,
        counted_supply_base,
        supply_share,
        output_count,
        realised_value_usd,
        in_profit_base,
        coverage_ratio,
        is_partial,
        price_status,
        has_all_blocks,
        has_all_outputs
    from {{ ref('fct_supply_age_daily') }}

),

assets as (

    select
        chain,
        base_unit_decimals
    from {{ ref('int_chains') }}

)

select
    facts.supply_age_key,
    facts.asset_key,
    facts.date_key,
    facts.age_band_key,
    facts.block_date,
    cast(facts.block_date as timestamp) as day_start_at,
    {{ to_native('facts.counted_supply_base', 'assets.base_unit_decimals') }} as counted_supply_native,
    cast(facts.counted_supply_base as text) as counted_supply_base_text,
    cast(facts.supply_share as double precision) as supply_share,
    facts.output_count,
    cast(facts.realised_value_usd as numeric(19, 4)) as realised_value_usd,
    {{ to_native('facts.in_profit_base', 'assets.base_unit_decimals') }} as in_profit_native,
    cast(facts.coverage_ratio as double precision) as coverage_ratio,
    facts.is_partial,
    facts.price_status,
    facts.has_all_blocks,
    facts.has_all_outputs
from facts
left join assets on facts.chain = assets.chain
