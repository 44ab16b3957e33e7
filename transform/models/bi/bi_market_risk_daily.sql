select
    risk_key,
    asset_key,
    date_key,
    close_date,
    cast(close_date as timestamp) as day_start_at,
    window_days,
    return_observation_count,
    cast(volatility as double precision) as volatility,
    cast(volatility_annualised as double precision) as volatility_annualised,
    cast(drawdown_ratio as double precision) as drawdown_ratio,
    cast(max_drawdown_ratio as double precision) as max_drawdown_ratio,
    cast(roi_ratio as double precision) as roi_ratio
from {{ ref('fct_market_risk_daily') }}
