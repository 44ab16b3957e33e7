-- One branch per check: a new check model joins here, and from here it reaches the gate and fct_dq_results.
select
    check_name,
    chain,
    block_height,
    block_date,
    result,
    reason
from {{ ref('int_check_block_header_hash') }}

union all

select
    check_name,
    chain,
    block_height,
    block_date,
    result,
    reason
from {{ ref('int_check_block_proof_of_work') }}
