with

failed_days as (

    select
        check_name,
        chain,
        block_date,
        reason,
        unnest(block_heights) as block_height
    from {{ ref('int_check_days') }}
    where result = 'failed'

),

checks as (

    select
        check_name,
        severity
    from {{ ref('dq_checks') }}

),

exceptions as (

    select
        check_name,
        chain,
        block_height,
        note
    from {{ ref('dq_exceptions') }}

)

select
    failed_days.check_name,
    failed_days.chain,
    failed_days.block_height,
    failed_days.block_date,
    failed_days.reason,
    -- a check that the seed lacks is taken for the stricter kind
    coalesce(checks.severity, 'integrity') as severity,
    exceptions.note as exception_note
from failed_days
left join checks on failed_days.check_name = checks.check_name
left join exceptions
    on
        failed_days.check_name = exceptions.check_name
        and failed_days.chain = exceptions.chain
        and failed_days.block_height = exceptions.block_height
