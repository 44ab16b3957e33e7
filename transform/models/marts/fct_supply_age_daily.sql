-- depends_on: {{ ref('int_integrity_failures') }}
with

ages as (

    select
        chain,
        block_date,
        age_band,
        band_order,
        live_base,
        output_count,
        priced_base,
        realised_value_usd,
        in_profit_base,
        in_loss_base,
        sum(live_base) over (partition by chain, block_date) as live_total_base
    from {{ ref('int_supply_age_daily') }}

),

block_days as (

    select
        chain,
        block_date,
        is_settled
    from {{ ref('int_blocks_daily') }}

),

supplies as (

    select
        chain,
        block_date,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

assets as (

    select
        asset_key,
        chain
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

)

select
    {{ surrogate_key(['ages.chain', 'ages.block_date', 'ages.age_band']) }} as supply_age_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('ages.block_date') }} as date_key,
    ages.chain,
    ages.block_date,
    ages.age_band,
    ages.band_order,
    ages.live_base as supply_base,
    round(ages.live_base / nullif(ages.live_total_base, 0), 8) as supply_share,
    ages.output_count,
    ages.priced_base as priced_supply_base,
    ages.realised_value_usd,
    case when prices.asset_key is not null then ages.in_profit_base end as in_profit_base,
    case when prices.asset_key is not null then ages.in_loss_base end as in_loss_base,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    supplies.coverage_ratio,
    coalesce(supplies.is_partial, true) as is_partial,
    coalesce(block_days.is_settled, false) as is_final
from ages
left join block_days on ages.chain = block_days.chain and ages.block_date = block_days.block_date
left join supplies on ages.chain = supplies.chain and ages.block_date = supplies.block_date
left join assets on ages.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and ages.block_date = prices.close_date
