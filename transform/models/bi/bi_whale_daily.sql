{{ as_bi(ref('rpt_whale_daily')) }}
