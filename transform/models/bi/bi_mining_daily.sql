select
    mining_day_key,
    asset_key,
    date_key,
    block_date,
    cast(block_date as timestamp) as day_start_at,
    cast(hash_price_usd as double precision) as hash_price_usd,
    cast(hash_rate_30d_mean as double precision) as hash_rate_30d_mean,
    cast(hash_rate_60d_mean as double precision) as hash_rate_60d_mean,
    price_status,
    is_final,
    has_all_blocks
from {{ ref('fct_mining_daily') }}
