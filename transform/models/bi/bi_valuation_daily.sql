{{ as_bi(ref('fct_valuation_daily')) }}
