select
    price_key,
    asset_key,
    date_key,
    price_source_key,
    close_date,
    cast(close_date as timestamp) as day_start_at,
    cast(open_price_usd as double precision) as open_price_usd,
    cast(close_price_usd as double precision) as close_price_usd,
    cast(coingecko_market_cap_usd as numeric(19, 4)) as coingecko_market_cap_usd,
    cast(volume_24h_usd as numeric(19, 4)) as volume_24h_usd,
    cast(return_ratio as double precision) as return_ratio,
    cast(log_return as double precision) as log_return,
    price_status
from {{ ref('fct_market_prices_daily') }}
