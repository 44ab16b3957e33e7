{{ as_bi(ref('rpt_day_status')) }}
