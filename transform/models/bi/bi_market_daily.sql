{{ as_bi(ref('fct_market_prices_daily')) }}
