{{ config(materialized='changed_days', meta={'log': 'int_loads_tracked'}, pre_hook="{{ one_at_a_time() }}") }}
-- Heights that a day ever had, not only those it has: a block that is gone still had successors.
with

fresh as (

    select
        chain,
        block_date,
        min(block_height) as first_height,
        max(block_height) as last_height
    from {{ ref('int_blocks_unioned') }}
    where {{ in_changed_days('block_time', log='int_loads_tracked') }}
    group by chain, block_date

),

seen as (

    select
        chain,
        block_date,
        first_height,
        last_height
    from fresh
    {% if is_incremental() %}
        union all
        select
            held.chain,
            held.block_date,
            held.first_height,
            held.last_height
        from {{ this }} as held
        inner join fresh on held.chain = fresh.chain and held.block_date = fresh.block_date
    {% endif %}

)

select
    chain,
    block_date,
    min(first_height) as first_height,
    max(last_height) as last_height,
    cast({{ changes().up_to or 'null' }} as bigint) as change_id
from seen
group by chain, block_date
