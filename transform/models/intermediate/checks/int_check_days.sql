-- The outcomes of a day, counted: what the gate and the reports read, so that neither reads a row per check and block.
-- Cumulative, since int_check_outpoints is.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true, 'cumulative': true},
        indexes=[{'columns': ['result']}],
    )
}}
with

checks as (

    select
        check_name,
        chain,
        block_height,
        block_date,
        result,
        reason
    from {{ ref('int_checks_unioned') }}
    where {{ in_changed_days('block_date') }}

)

select
    check_name,
    chain,
    block_date,
    result,
    reason,
    count(*) as outcome_count,
    case
        when result = 'verified' then cast('{}' as bigint[])
        else array_agg(block_height order by block_height)
    end as block_heights
from checks
group by check_name, chain, block_date, result, reason
