-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
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

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_outputs,
        is_complete
    from {{ ref('int_day_marks') }}

),

supplies as (

    select
        chain,
        block_date,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['ages.chain', 'ages.block_date', 'ages.age_band']) }} as supply_age_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('ages.block_date') }} as date_key,
    {{ surrogate_key(['ages.age_band']) }} as age_band_key,
    ages.chain,
    ages.block_date,
    ages.age_band,
    ages.band_order,
    ages.live_base as counted_supply_base,
    {{ quotient('ages.live_base', 'ages.live_total_base', 8) }} as supply_share,
    ages.output_count,
    ages.priced_base as priced_supply_base,
    round(ages.realised_value_usd, 8) as realised_value_usd,
    case when prices.asset_key is not null then ages.in_profit_base end as in_profit_base,
    case when prices.asset_key is not null then ages.in_loss_base end as in_loss_base,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    supplies.coverage_ratio,
    coalesce(supplies.is_partial, true) as is_partial,
    coalesce(day_marks.is_complete, false) as is_final,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
    coalesce(day_marks.has_all_outputs, false) as has_all_outputs
from ages
left join day_marks on ages.chain = day_marks.chain and ages.block_date = day_marks.marked_date
left join supplies on ages.chain = supplies.chain and ages.block_date = supplies.block_date
left join assets on ages.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and ages.block_date = prices.close_date
