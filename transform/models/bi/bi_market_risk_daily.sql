{{ as_bi(ref('fct_market_risk_daily')) }}
