-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

block_days as (

    select
        chain,
        block_date,
        reward_base,
        expected_hashes
    from {{ ref('int_blocks_daily') }}

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        is_complete
    from {{ ref('int_day_marks') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

-- windows are of days and not of rows
mined_days as (

    select
        block_days.chain,
        block_days.block_date,
        block_days.reward_base,
        coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
        coalesce(day_marks.is_complete, false) as is_final,
        case when day_marks.has_all_blocks then block_days.expected_hashes end as expected_hashes,
        case
            when count(block_days.expected_hashes) filter (where day_marks.has_all_blocks) over last_30 = 30
                then sum(block_days.expected_hashes) over last_30
        end as expected_hashes_30d,
        case
            when count(block_days.expected_hashes) filter (where day_marks.has_all_blocks) over last_60 = 60
                then sum(block_days.expected_hashes) over last_60
        end as expected_hashes_60d
    from block_days
    left join day_marks on block_days.chain = day_marks.chain and block_days.block_date = day_marks.marked_date
    window
        last_30 as (
            partition by block_days.chain order by block_days.block_date
            range between interval '29 days' preceding and current row
        ),
        last_60 as (
            partition by block_days.chain order by block_days.block_date
            range between interval '59 days' preceding and current row
        )

)

select
    {{ surrogate_key(['mined_days.chain', 'mined_days.block_date']) }} as mining_day_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('mined_days.block_date') }} as date_key,
    mined_days.chain,
    mined_days.block_date,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    mined_days.expected_hashes,
    -- of a terahash a second over the day
    {{ quotient(
        'mined_days.reward_base * prices.close_price_usd * 86400000000000000',
        "mined_days.expected_hashes * cast('1e' || assets.base_unit_decimals as numeric)", 12
    ) }} as hash_price_usd,
    {{ quotient('mined_days.expected_hashes_30d', '30 * 86400', 8) }} as hash_rate_30d_mean,
    {{ quotient('mined_days.expected_hashes_60d', '60 * 86400', 8) }} as hash_rate_60d_mean,
    mined_days.is_final,
    mined_days.has_all_blocks
from mined_days
left join assets on mined_days.chain = assets.chain
left join prices on assets.asset_key = prices.asset_key and mined_days.block_date = prices.close_date
