{{ as_bi(ref('fct_wealth_daily')) }}
