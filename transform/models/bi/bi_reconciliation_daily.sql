{{ as_bi(ref('rpt_reconciliation')) }}
