select
    dq_result_key,
    dq_check_key,
    asset_key,
    date_key,
    block_date,
    cast(block_date as timestamp) as day_start_at,
    verified_count,
    unverifiable_count,
    failed_count,
    array_to_string(failed_heights, ', ') as failed_heights,
    reasons
from {{ ref('fct_dq_results') }}
