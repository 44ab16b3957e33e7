-- Not behind the gate, as little as fct_dq_results, which it explains.
with

checks as (

    select
        check_name,
        title,
        check_group,
        severity,
        covers,
        rule,
        rule_source
    from {{ ref('dq_checks') }}

),

unknown_member as (

    select
        cast(-1 as bigint) as dq_check_key,
        'unknown' as check_name,
        'Unknown' as title,
        'unknown' as check_group,
        'integrity' as severity,
        cast(null as text) as covers,
        cast(null as text) as rule,
        cast(null as text) as rule_source

)

select
    {{ surrogate_key(['check_name']) }} as dq_check_key,
    check_name,
    title,
    check_group,
    severity,
    covers,
    rule,
    rule_source
from checks

union all

select
    dq_check_key,
    check_name,
    title,
    check_group,
    severity,
    covers,
    rule,
    rule_source
from unknown_member
