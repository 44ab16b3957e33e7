with

facts as (

    select
        wealth_day_key,
        chain,
        asset_key,
        date_key,
        observed_date,
        address_count,
        supply_base,
        network_distribution_factor,
        supply_equality_ratio,
        top_100_share,
        top_1_percent_share,
        is_whole
    from {{ ref('fct_wealth_daily') }}

),

assets as (

    select
        chain,
        base_unit_decimals
    from {{ ref('int_chains') }}

)

select
    facts.wealth_day_key,
    facts.asset_key,
    facts.date_key,
    facts.observed_date,
    cast(facts.observed_date as timestamp) as day_start_at,
    facts.address_count,
    {{ to_native('facts.supply_base', 'assets.base_unit_decimals') }} as supply_native,
    cast(facts.network_distribution_factor as double precision) as network_distribution_factor,
    cast(facts.supply_equality_ratio as double precision) as supply_equality_ratio,
    cast(facts.top_100_share as double precision) as top_100_share,
    cast(facts.top_1_percent_share as double precision) as top_1_percent_share,
    facts.is_whole
from facts
left join assets on facts.chain = assets.chain
