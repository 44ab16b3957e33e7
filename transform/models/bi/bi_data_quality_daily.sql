{{ as_bi(ref('fct_dq_results')) }}
