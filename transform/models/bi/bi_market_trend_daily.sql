select
    trend_key,
    asset_key,
    date_key,
    close_date,
    cast(close_date as timestamp) as day_start_at,
    cast(mayer_multiple as double precision) as mayer_multiple,
    cast(all_time_high_usd as double precision) as all_time_high_usd,
    price_status
from {{ ref('fct_market_trend_daily') }}
