-- depends_on: {{ ref('int_integrity_failures') }}
with

closes as (

    select
        coin_id,
        close_date,
        stamped_at,
        close_price,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date
    from {{ ref('int_market_closes') }}
    where vs_currency = 'usd'

),

assets as (

    select
        asset_key,
        coingecko_id
    from {{ ref('dim_asset') }}

)

select
    {{ surrogate_key(['closes.coin_id', 'closes.close_date']) }} as price_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('closes.close_date') }} as date_key,
    closes.coin_id as coingecko_id,
    closes.close_date,
    -- the close of the day before, where that day is there: a gap is never bridged
    case
        when lag(closes.close_date) over by_day = closes.close_date - 1 then lag(closes.close_price) over by_day
    end as open_price_usd,
    closes.close_price as close_price_usd,
    closes.market_cap as market_cap_usd,
    closes.volume_24h as volume_24h_usd,
    'coingecko_daily_close' as price_source,
    closes.stamped_at,
    closes.is_off_midnight,
    closes.stamps_in_date
from closes
left join assets on closes.coin_id = assets.coingecko_id
window by_day as (partition by closes.coin_id order by closes.close_date)
