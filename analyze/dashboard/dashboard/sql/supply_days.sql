-- A day of a truncated history is partial.
-- A row for each day and coin of the span; of a day that is not loaded all is null, and day_status says so.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

days as (

    select
        date_key,
        date_day
    from dim_date
    where date_day between %(first)s and %(last)s

),

states as (

    select
        asset_key,
        date_key,
        day_status
    from bi_day_status
    where block_date between %(first)s and %(last)s

),

valuations as (

    select
        asset_key,
        date_key,
        supply_native,
        supply_base_text,
        market_cap_usd,
        realised_cap_usd,
        realised_cap_known_usd,
        realised_price_usd,
        mvrv,
        mvrv_known,
        mvrv_z_score,
        nupl,
        sopr,
        sopr_known,
        in_profit_ratio,
        spent_native,
        spent_base_text,
        coverage_ratio,
        is_partial
    from bi_valuation_daily
    where block_date between %(first)s and %(last)s

)

select
    days.date_day as day,
    coins.coin,
    coins.asset_name,
    valuations.supply_native,
    valuations.supply_base_text,
    valuations.market_cap_usd,
    valuations.realised_cap_usd,
    valuations.realised_cap_known_usd,
    valuations.realised_price_usd,
    valuations.mvrv,
    valuations.mvrv_known,
    valuations.mvrv_z_score,
    valuations.nupl,
    valuations.sopr,
    valuations.sopr_known,
    valuations.in_profit_ratio,
    valuations.spent_native,
    valuations.spent_base_text,
    valuations.coverage_ratio,
    valuations.is_partial,
    case when valuations.is_partial then 'partial' else coalesce(states.day_status, 'missing') end as day_status
from days
cross join coins
left join valuations on days.date_key = valuations.date_key and coins.asset_key = valuations.asset_key
left join states on days.date_key = states.date_key and coins.asset_key = states.asset_key
order by days.date_day, array_position(%(coins)s, coins.coin)
