-- No day is missing between two that are loaded. A day without blocks is none that is missing where heights go on across it.
with

days as (

    select
        chain,
        block_date,
        first_block_height,
        lag(block_date) over chain_days as day_below,
        lag(last_block_height) over chain_days as height_below
    from {{ ref('int_blocks_daily') }}
    window chain_days as (partition by chain order by block_date)

),

assessed as (

    select
        chain,
        block_date,
        first_block_height,
        case
            when day_below = block_date - 1 or first_block_height = 0 or first_block_height <= height_below + 1 then 'verified'
            when day_below is null then 'unverifiable: no day below is loaded'
            when first_block_height is null or height_below is null then 'unverifiable: heights beside a missing day are missing'
            else
                'failed: no block is loaded of ' || day_below + 1
                || case when day_below + 2 < block_date then ' to ' || block_date - 1 else '' end
                || ', heights ' || height_below + 1 || ' to ' || first_block_height - 1
        end as outcome
    from days

)

select
    'chain_days' as check_name,
    chain,
    first_block_height as block_height,
    block_date,
    {{ check_result('outcome') }} as result,
    {{ check_reason('outcome') }} as reason
from assessed
