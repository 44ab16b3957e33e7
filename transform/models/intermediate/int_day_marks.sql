-- What is to be known of a chain's day before its figures are read: whether its blocks are all there, which subsidy they
-- have, and whether its price is missing.
with

chain_assets as (

    select
        coingecko_id,
        chain
    from {{ ref('assets') }}

),

block_days as (

    select
        chain,
        block_date,
        last_block_height,
        is_settled,
        parentless_block_count,
        -- below a chain's part that is loaded there is no block to be a parent
        case
            when first_block_height = 0 or lag(block_date) over by_day = block_date - 1 then 0 else 1
        end as allowed_count,
        case
            when lead(block_date) over by_day = block_date + 1 then lead(parentless_block_count) over by_day else 0
        end as next_parentless_block_count
    from {{ ref('int_blocks_daily') }}
    window by_day as (partition by chain order by block_date)

),

epochs as (

    select
        block_days.chain,
        block_days.block_date,
        count(*) as reward_epoch_number
    from block_days
    inner join {{ ref('subsidies') }} as subsidies
        on
            block_days.chain = subsidies.chain
            and block_days.last_block_height >= subsidies.first_height
    group by block_days.chain, block_days.block_date

),

closes as (

    select
        chain_assets.chain,
        market_closes.close_date
    from {{ ref('int_market_closes') }} as market_closes
    inner join chain_assets on market_closes.coin_id = chain_assets.coingecko_id
    where
        market_closes.vs_currency = 'usd'
        and market_closes.close_price is not null

),

priced_days as (

    select
        chain,
        cast(
            generate_series(cast(min(close_date) as timestamp), cast(max(close_date) as timestamp), interval '1 day') as date
        ) as marked_date
    from closes
    group by chain

),

days as (

    select
        chain,
        block_date as marked_date
    from block_days
    union
    select
        chain,
        marked_date
    from priced_days

)

select
    days.chain,
    days.marked_date,
    block_days.chain is not null as has_blocks,
    coalesce(
        block_days.is_settled
        and block_days.parentless_block_count <= block_days.allowed_count
        and block_days.next_parentless_block_count = 0, false
    ) as is_complete,
    cast(epochs.reward_epoch_number as integer) as reward_epoch_number,
    priced_days.chain is not null and closes.chain is null as is_price_gap
from days
left join block_days on days.chain = block_days.chain and days.marked_date = block_days.block_date
left join epochs on days.chain = epochs.chain and days.marked_date = epochs.block_date
left join priced_days on days.chain = priced_days.chain and days.marked_date = priced_days.marked_date
left join closes on days.chain = closes.chain and days.marked_date = closes.close_date
