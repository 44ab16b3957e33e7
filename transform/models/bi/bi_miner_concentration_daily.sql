{{ as_bi(ref('rpt_miner_concentration_daily')) }}
