{{ as_bi(ref('fct_supply_age_daily')) }}
