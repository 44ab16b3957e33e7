-- The gate: the marts depend on int_integrity_failures, so a row here keeps `dbt build` from replacing any of them.
select
    check_name,
    chain,
    block_height,
    block_date,
    reason
from {{ ref('int_integrity_failures') }}
