select
    pair_key,
    asset_key,
    benchmark_asset_key,
    date_key,
    benchmark_coingecko_id,
    close_date,
    cast(close_date as timestamp) as day_start_at,
    window_days,
    observation_count,
    cast(return_correlation as double precision) as return_correlation,
    cast(return_beta as double precision) as return_beta
from {{ ref('fct_asset_pair_daily') }}
