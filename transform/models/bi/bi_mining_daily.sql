{{ as_bi(ref('fct_mining_daily')) }}
