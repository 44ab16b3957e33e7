{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'days_beside': true},
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

miner_days as (

    select
        chain,
        block_date,
        is_unknown,
        block_count,
        sum(block_count) over (partition by chain, block_date) as chain_block_count,
        row_number() over largest_known as place,
        sum(block_count) over largest_known as blocks_down_to_here
    from {{ ref('int_miners_daily') }}
    where {{ in_changed_days('block_date') }}
    window largest_known as (
        partition by chain, block_date, is_unknown
        order by block_count desc, miner asc
        rows between unbounded preceding and current row
    )

),

days as (

    select
        chain,
        block_date,
        cast(max(chain_block_count) as bigint) as block_count,
        count(*) filter (where not is_unknown) as known_miner_count,
        coalesce(sum(block_count) filter (where is_unknown), 0) as unknown_block_count,
        coalesce(sum(block_count * block_count) filter (where not is_unknown), 0) as known_squares,
        min(place) filter (where not is_unknown and blocks_down_to_here * 2 > chain_block_count) as nakamoto_coefficient
    from miner_days
    group by chain, block_date

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        is_complete
    from {{ ref('int_day_marks') }}
    where {{ in_changed_days('marked_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['days.chain', 'days.block_date']) }} as concentration_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('days.block_date') }} as date_key,
    days.chain,
    days.block_date,
    days.block_count,
    days.known_miner_count,
    {{ quotient('days.unknown_block_count', 'days.block_count', 18) }} as unknown_share_ratio,
    {{ quotient('days.known_squares', 'cast(days.block_count as numeric) * days.block_count', 18) }} as hhi,
    days.nakamoto_coefficient,
    coalesce(day_marks.is_complete, false) as is_final,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks
from days
left join day_marks on days.chain = day_marks.chain and days.block_date = day_marks.marked_date
left join assets on days.chain = assets.chain
