select
    check_name,
    chain,
    block_height,
    block_date,
    reason
from {{ ref('int_checks_unioned') }}
where result = 'failed'
