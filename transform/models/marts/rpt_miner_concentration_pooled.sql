{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'days_beside': true, 'days_after': 29},
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

miner_days as (

    select
        chain,
        block_date,
        miner,
        is_unknown,
        block_count
    from {{ ref('int_miners_daily') }}
    where {{ in_changed_days('block_date', before=29) }}

),

marked_days as (

    select
        chain,
        marked_date,
        has_blocks,
        has_all_blocks,
        is_complete,
        count(*) filter (where has_all_blocks) over (
            partition by chain order by marked_date range between interval '6 days' preceding and current row
        ) as whole_day_count_7d,
        count(*) filter (where has_all_blocks) over (
            partition by chain order by marked_date range between interval '29 days' preceding and current row
        ) as whole_day_count_30d
    from {{ ref('int_day_marks') }}

),

window_days as (

    {% for days in [7, 30] %}
        select
            chain,
            marked_date as block_date,
            {{ days }} as window_days,
            whole_day_count_{{ days }}d as whole_day_count,
            has_all_blocks,
            is_complete
        from marked_days
        where has_blocks and {{ in_changed_days('marked_date') }}
        {{ "union all" if not loop.last }}
    {% endfor %}

),

-- each day goes to the windows that end up to 29 days later, which joins by equal days
pooled_miners as (

    select
        window_days.chain,
        window_days.block_date,
        window_days.window_days,
        miner_days.miner,
        miner_days.is_unknown,
        cast(sum(miner_days.block_count) as bigint) as block_count
    from miner_days
    cross join generate_series(0, 29) as days_ago
    inner join window_days
        on
            miner_days.chain = window_days.chain
            and miner_days.block_date + days_ago = window_days.block_date
            and days_ago < window_days.window_days
    where window_days.whole_day_count = window_days.window_days
    group by window_days.chain, window_days.block_date, window_days.window_days, miner_days.miner, miner_days.is_unknown

),

placed_miners as (

    select
        chain,
        block_date,
        window_days,
        is_unknown,
        block_count,
        sum(block_count) over (partition by chain, block_date, window_days) as chain_block_count,
        row_number() over largest_known as place,
        sum(block_count) over largest_known as blocks_down_to_here
    from pooled_miners
    window largest_known as (
        partition by chain, block_date, window_days, is_unknown
        order by block_count desc, miner asc
        rows between unbounded preceding and current row
    )

),

pooled_days as (

    select
        chain,
        block_date,
        window_days,
        cast(max(chain_block_count) as bigint) as block_count,
        count(*) filter (where not is_unknown) as known_miner_count,
        coalesce(sum(block_count) filter (where is_unknown), 0) as unknown_block_count,
        coalesce(sum(cast(block_count as numeric) * block_count) filter (where not is_unknown), 0) as known_squares,
        min(place) filter (where not is_unknown and blocks_down_to_here * 2 > chain_block_count) as nakamoto_coefficient
    from placed_miners
    group by chain, block_date, window_days

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['window_days.chain', 'window_days.block_date', 'window_days.window_days']) }} as concentration_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('window_days.block_date') }} as date_key,
    window_days.chain,
    window_days.block_date,
    window_days.window_days,
    window_days.whole_day_count,
    pooled_days.block_count,
    pooled_days.known_miner_count,
    {{ quotient('pooled_days.unknown_block_count', 'pooled_days.block_count', 18) }} as unknown_share_ratio,
    {{ quotient('pooled_days.known_squares', 'cast(pooled_days.block_count as numeric) * pooled_days.block_count', 18) }} as hhi,
    pooled_days.nakamoto_coefficient,
    window_days.is_complete as is_final,
    window_days.has_all_blocks
from window_days
left join pooled_days
    on
        window_days.chain = pooled_days.chain
        and window_days.block_date = pooled_days.block_date
        and window_days.window_days = pooled_days.window_days
left join assets on window_days.chain = assets.chain
