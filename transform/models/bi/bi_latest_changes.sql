{{ as_bi(ref('rpt_latest_changes')) }}
