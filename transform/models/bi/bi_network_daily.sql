{{ as_bi(ref('fct_network_daily')) }}
