-- A warning and no more: what fails here may be right and only unusual, or wrong in a column that no mart computes with.
{{ config(severity='warn') }}
select
    check_name,
    chain,
    block_height,
    block_date,
    reason
from {{ ref('int_check_failures') }}
where severity = 'plausibility' and exception_note is null
