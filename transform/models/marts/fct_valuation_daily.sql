-- depends_on: {{ ref('int_integrity_failures') }}
with

supplies as (

    select
        chain,
        block_date,
        supply_base,
        supply_source,
        known_supply_base,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

block_days as (

    select
        chain,
        block_date,
        generation_base,
        reward_base,
        is_settled
    from {{ ref('int_blocks_daily') }}

),

age_bands as (

    select
        age_band,
        max_days
    from {{ ref('age_bands') }}

),

live_days as (

    select
        ages.chain,
        ages.block_date,
        sum(ages.live_base) as live_base,
        coalesce(sum(ages.live_base) filter (where age_bands.max_days < 365), 0) as active_1y_base,
        sum(ages.priced_base) as priced_base,
        sum(ages.realised_value_usd) as realised_value_usd,
        sum(ages.in_profit_base) as in_profit_base,
        sum(ages.in_loss_base) as in_loss_base,
        sum(ages.calendar_coin_days_base) as calendar_coin_days_base
    from {{ ref('int_supply_age_daily') }} as ages
    left join age_bands on ages.age_band = age_bands.age_band
    group by ages.chain, ages.block_date

),

spent_days as (

    select
        chain,
        block_date,
        spent_output_count,
        spent_base,
        revived_1y_base,
        priced_spent_base,
        spent_value_usd,
        spent_cost_usd,
        realised_profit_usd,
        realised_loss_usd,
        full_coin_days_base,
        coin_seconds_base,
        calendar_coin_days_base
    from {{ ref('int_spent_outputs_daily') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals,
        cast('1e-' || base_unit_decimals as numeric) as coins_per_base_unit
    from {{ ref('dim_asset') }}
    where chain is not null

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd,
        market_cap_usd
    from {{ ref('fct_market_prices_daily') }}

),

joined as (

    select
        assets.asset_key,
        assets.coins_per_base_unit,
        supplies.chain,
        supplies.block_date,
        supplies.supply_base,
        supplies.supply_source,
        supplies.known_supply_base,
        supplies.coverage_ratio,
        supplies.is_partial,
        prices.close_price_usd,
        prices.market_cap_usd as coingecko_market_cap_usd,
        live_days.live_base,
        live_days.active_1y_base,
        live_days.priced_base,
        live_days.realised_value_usd,
        live_days.in_profit_base,
        live_days.in_loss_base,
        live_days.calendar_coin_days_base as live_coin_days_base,
        spent_days.spent_output_count,
        spent_days.spent_base,
        spent_days.revived_1y_base,
        spent_days.priced_spent_base,
        spent_days.spent_value_usd,
        spent_days.spent_cost_usd,
        spent_days.realised_profit_usd,
        spent_days.realised_loss_usd,
        spent_days.full_coin_days_base,
        spent_days.coin_seconds_base,
        block_days.is_settled,
        {{ to_usd('supplies.supply_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as market_cap_usd,
        {{ to_usd('live_days.priced_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as priced_value_usd,
        {{ to_usd('block_days.generation_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as issuance_usd,
        {{ to_usd('block_days.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as revenue_usd,
        sum(spent_days.calendar_coin_days_base) over chain_days as destroyed_coin_days_base
    from supplies
    left join block_days on supplies.chain = block_days.chain and supplies.block_date = block_days.block_date
    left join live_days on supplies.chain = live_days.chain and supplies.block_date = live_days.block_date
    left join spent_days on supplies.chain = spent_days.chain and supplies.block_date = spent_days.block_date
    left join assets on supplies.chain = assets.chain
    left join prices on assets.asset_key = prices.asset_key and supplies.block_date = prices.close_date
    window chain_days as (partition by supplies.chain order by supplies.block_date)

),

followed as (

    select
        asset_key,
        coins_per_base_unit,
        chain,
        block_date,
        supply_base,
        supply_source,
        known_supply_base,
        coverage_ratio,
        is_partial,
        close_price_usd,
        coingecko_market_cap_usd,
        live_base,
        active_1y_base,
        priced_base,
        realised_value_usd,
        in_profit_base,
        in_loss_base,
        live_coin_days_base,
        destroyed_coin_days_base,
        spent_output_count,
        spent_base,
        revived_1y_base,
        priced_spent_base,
        spent_value_usd,
        spent_cost_usd,
        realised_profit_usd,
        realised_loss_usd,
        full_coin_days_base,
        coin_seconds_base,
        is_settled,
        market_cap_usd,
        priced_value_usd,
        issuance_usd,
        case when not is_partial then realised_value_usd end as realised_cap_usd,
        -- revenue of the whole history, so of one whose blocks are all there
        case when supply_source = 'generation' then sum(revenue_usd) over chain_days end as thermo_cap_usd,
        case when count(issuance_usd) over chain_year = 365 then avg(issuance_usd) over chain_year end as mean_issuance_usd
    from joined
    window
        chain_days as (partition by chain order by block_date),
        chain_year as (partition by chain order by block_date range between interval '364 days' preceding and current row)

)

select
    {{ surrogate_key(['chain', 'block_date']) }} as valuation_day_key,
    coalesce(asset_key, -1) as asset_key,
    {{ date_key('block_date') }} as date_key,
    chain,
    block_date,
    close_price_usd,
    case when close_price_usd is null then 'missing' else 'priced' end as price_status,
    supply_base,
    supply_source,
    known_supply_base,
    live_base as counted_supply_base,
    active_1y_base as active_supply_1y_base,
    round(active_1y_base / nullif(live_base, 0), 8) as active_supply_1y_share,
    coverage_ratio,
    is_partial,
    round(priced_base / nullif(live_base, 0), 8) as priced_ratio,
    market_cap_usd,
    coingecko_market_cap_usd,
    realised_value_usd,
    realised_cap_usd,
    round(market_cap_usd / nullif(realised_cap_usd, 0), 8) as mvrv,
    round(priced_value_usd / nullif(realised_value_usd, 0), 8) as mvrv_known,
    round((market_cap_usd - realised_cap_usd) / nullif(market_cap_usd, 0), 8) as nupl,
    case when close_price_usd is not null then in_profit_base end as in_profit_base,
    case when close_price_usd is not null then round(in_profit_base / nullif(priced_base, 0), 8) end as in_profit_ratio,
    case when close_price_usd is not null then in_loss_base end as in_loss_base,
    coalesce(spent_output_count, 0) as spent_output_count,
    coalesce(spent_base, 0) as spent_base,
    coalesce(revived_1y_base, 0) as revived_supply_1y_base,
    spent_value_usd,
    spent_cost_usd,
    round(spent_value_usd / nullif(spent_cost_usd, 0), 8) as sopr,
    round(priced_spent_base / nullif(spent_base, 0), 8) as sopr_coverage_ratio,
    realised_profit_usd,
    realised_loss_usd,
    round(full_coin_days_base * coins_per_base_unit, 18) as full_coin_days_destroyed,
    -- the divisor's scale is the quotient's, which PostgreSQL would else cut to 16 digits
    round(coin_seconds_base * coins_per_base_unit / cast(86400 as numeric(30, 24)), 18) as coin_days_destroyed,
    round(coin_seconds_base / nullif(spent_base * 86400, 0), 8) as dormancy_days,
    round(live_coin_days_base / nullif(live_base, 0), 8) as mean_coin_age_days,
    case
        when not is_partial
            then round(
                coalesce(destroyed_coin_days_base, 0) / nullif(coalesce(destroyed_coin_days_base, 0) + live_coin_days_base, 0), 8
            )
    end as liveliness,
    issuance_usd,
    thermo_cap_usd,
    round(realised_cap_usd / nullif(thermo_cap_usd, 0), 8) as rctc,
    round(issuance_usd / nullif(mean_issuance_usd, 0), 8) as puell_multiple,
    coalesce(is_settled, false) as is_final
from followed
