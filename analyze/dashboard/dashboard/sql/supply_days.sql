-- A day of a truncated history is partial.
-- A row for each day and coin of the span; of a day that is not loaded all is null, and day_status says so.
with

days as (

    select
        asset_key,
        date_key,
        block_date,
        coingecko_id,
        asset_name,
        day_status
    from bi_day_status
    where coingecko_id = any(%(coins)s) and block_date between %(first)s and %(last)s

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
    days.block_date as day,
    days.coingecko_id as coin,
    days.asset_name,
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
    case when valuations.is_partial then 'partial' else days.day_status end as day_status
from days
left join valuations on days.date_key = valuations.date_key and days.asset_key = valuations.asset_key
order by days.block_date, array_position(%(coins)s, days.coingecko_id)
