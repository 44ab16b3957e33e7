with

facts as (

    select
        valuation_day_key,
        chain,
        asset_key,
        date_key,
        block_date,
        supply_base,
        known_supply_base,
        active_supply_1y_base,
        active_supply_1y_share,
        market_cap_usd,
        realised_cap_usd,
        realised_value_usd,
        mvrv,
        nupl,
        in_profit_base,
        in_profit_ratio,
        spent_output_count,
        spent_base,
        spent_value_usd,
        spent_cost_usd,
        sopr,
        sopr_coverage_ratio,
        realised_profit_usd,
        realised_loss_usd,
        coin_days_destroyed,
        dormancy_days,
        mean_coin_age_days,
        liveliness,
        issuance_usd,
        thermo_cap_usd,
        puell_multiple,
        coverage_ratio,
        is_partial,
        priced_ratio,
        price_status,
        is_final
    from {{ ref('fct_valuation_daily') }}

),

assets as (

    select
        chain,
        base_unit_decimals
    from {{ ref('assets') }}

)

select
    facts.valuation_day_key,
    facts.asset_key,
    facts.date_key,
    facts.block_date,
    cast(facts.block_date as timestamp) as day_start_at,
    {{ to_native('facts.supply_base', 'assets.base_unit_decimals') }} as supply_native,
    cast(facts.supply_base as text) as supply_base_text,
    {{ to_native('facts.known_supply_base', 'assets.base_unit_decimals') }} as known_supply_native,
    {{ to_native('facts.active_supply_1y_base', 'assets.base_unit_decimals') }} as active_supply_1y_native,
    cast(facts.active_supply_1y_share as double precision) as active_supply_1y_share,
    cast(facts.market_cap_usd as numeric(19, 4)) as market_cap_usd,
    cast(facts.realised_cap_usd as numeric(19, 4)) as realised_cap_usd,
    cast(facts.realised_value_usd as numeric(19, 4)) as realised_value_usd,
    cast(facts.mvrv as double precision) as mvrv,
    cast(facts.nupl as double precision) as nupl,
    {{ to_native('facts.in_profit_base', 'assets.base_unit_decimals') }} as in_profit_native,
    cast(facts.in_profit_ratio as double precision) as in_profit_ratio,
    facts.spent_output_count,
    {{ to_native('facts.spent_base', 'assets.base_unit_decimals') }} as spent_native,
    cast(facts.spent_base as text) as spent_base_text,
    cast(facts.spent_value_usd as numeric(19, 4)) as spent_value_usd,
    cast(facts.spent_cost_usd as numeric(19, 4)) as spent_cost_usd,
    cast(facts.sopr as double precision) as sopr,
    cast(facts.sopr_coverage_ratio as double precision) as sopr_coverage_ratio,
    cast(facts.realised_profit_usd as numeric(19, 4)) as realised_profit_usd,
    cast(facts.realised_loss_usd as numeric(19, 4)) as realised_loss_usd,
    cast(facts.coin_days_destroyed as double precision) as coin_days_destroyed,
    cast(facts.dormancy_days as double precision) as dormancy_days,
    cast(facts.mean_coin_age_days as double precision) as mean_coin_age_days,
    cast(facts.liveliness as double precision) as liveliness,
    cast(facts.issuance_usd as numeric(19, 4)) as issuance_usd,
    cast(facts.thermo_cap_usd as numeric(19, 4)) as thermo_cap_usd,
    cast(facts.puell_multiple as double precision) as puell_multiple,
    cast(facts.coverage_ratio as double precision) as coverage_ratio,
    facts.is_partial,
    cast(facts.priced_ratio as double precision) as priced_ratio,
    facts.price_status,
    facts.is_final
from facts
left join assets on facts.chain = assets.chain
