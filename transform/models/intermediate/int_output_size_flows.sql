{{ config(materialized='changed_days', indexes=[{'columns': ['chain', 'block_date']}]) }}
-- What each day added to the unspent outputs of a script type and size, and what it took of those of each day of creation.
-- By the day of creation, because what was spent of a day that is not loaded yet counts as soon as it is.
{% set counted = "true" if var('count_unspendable_supply') else "coalesce(is_spendable, true)" %}
with

moved as (

    select
        chain,
        block_date,
        block_date as created_date,
        coalesce(script_type, 'unknown') as script_type,
        value_base,
        1 as output_count
    from {{ ref('int_outputs_unioned') }}
    where {{ in_changed_days('block_time') }} and {{ counted }}

    union all

    select
        chain,
        block_date,
        -- headers' times may run backwards: an output spent the day before it was made counts as made on that day
        least(created_date, block_date) as created_date,
        coalesce(script_type, 'unknown') as script_type,
        value_base,
        -1 as output_count
    from {{ ref('int_inputs_unioned') }}
    where {{ in_changed_days('block_time') }} and {{ counted }}

),

limits as (

    select
        chain,
        script_type,
        dust_limit_base
    from {{ ref('dust_limits') }}

),

measured as (

    select
        moved.chain,
        moved.block_date,
        moved.created_date,
        moved.script_type,
        -- exact, as a logarithm is not
        case when moved.value_base > 0 then length(cast(trunc(moved.value_base) as text)) else 0 end as digit_count,
        moved.output_count,
        moved.output_count * moved.value_base as value_base,
        -- null where the limit is
        cast(moved.value_base < limits.dust_limit_base as integer) as is_dust
    from moved
    left join limits on moved.chain = limits.chain and moved.script_type = limits.script_type

)

select
    chain,
    block_date,
    created_date,
    script_type,
    digit_count,
    sum(output_count) as output_count,
    sum(value_base) as value_base,
    sum(output_count * is_dust) as dust_output_count,
    sum(value_base * is_dust) as dust_base
from measured
group by chain, block_date, created_date, script_type, digit_count
