{{ as_bi(ref('fct_market_trend_daily')) }}
