{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['chain', 'block_date'],
        pre_hook="{{ one_at_a_time() }}",
        post_hook="{{ write_watermark('int_chain_days', noted_changes().up_to) }}",
    )
}}
-- Heights that a day ever had, not only those it has: a block that is gone still had successors.
{% set days = loaded_block_days() %}
with

fresh as (

    select
        chain,
        block_date,
        min(block_height) as first_height,
        max(block_height) as last_height
    from {{ ref('int_blocks_unioned') }}
    where {{ days.condition }}
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
    cast({{ days.up_to }} as bigint) as change_id
from seen
group by chain, block_date
