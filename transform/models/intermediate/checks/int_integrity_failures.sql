select
    check_name,
    chain,
    block_height,
    block_date,
    reason
from {{ ref('int_check_failures') }}
where severity = 'integrity' and exception_note is null
