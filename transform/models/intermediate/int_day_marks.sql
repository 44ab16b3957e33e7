{{ config(materialized='table') }}
-- What is to be known of a chain's day before its figures are read: whether its blocks are all there and what belongs to
-- them, which subsidy they have, and whether its price is missing.
with

chain_assets as ({{ columns_of(ref('int_chains'), 'coingecko_id, chain') }}),

block_days as (

    select
        chain,
        block_date,
        block_count,
        last_block_height,
        transaction_count,
        input_count,
        output_count,
        is_settled,
        parentless_block_count > cast(is_first_parentless as integer) as has_gap,
        -- a dump has the whole of a day; else only the blocks around it show where it begins and ends
        is_from_dump,
        not is_first_parentless as begins_with_parent,
        lag(block_date) over by_day = block_date - 1 as has_day_before,
        lead(block_date) over by_day = block_date + 1 as has_day_after,
        lead(not is_first_parentless) over by_day as next_begins_with_parent
    from {{ ref('int_blocks_daily') }}
    window by_day as (partition by chain order by block_date)

),

whole_days as (

    select
        chain,
        block_date,
        block_count,
        last_block_height,
        transaction_count,
        input_count,
        output_count,
        is_settled,
        coalesce(
            not has_gap
            and (begins_with_parent or (is_from_dump and not coalesce(has_day_before, false)))
            and case when has_day_after then next_begins_with_parent else is_from_dump end, false
        ) as has_all_blocks
    from block_days

),

transaction_days as (

    select
        chain,
        block_date,
        transaction_count
    from {{ ref('int_transactions_daily') }}

),

transfer_days as (

    select
        chain,
        block_date,
        output_count,
        input_count
    from {{ ref('int_transfers_daily') }}

),

covered_days as (

    select
        whole_days.chain,
        whole_days.block_date,
        whole_days.last_block_height,
        whole_days.has_all_blocks,
        coalesce(whole_days.is_settled and whole_days.has_all_blocks, false) as is_complete,
        coalesce(
            whole_days.has_all_blocks and coalesce(transaction_days.transaction_count, 0) = whole_days.transaction_count, false
        ) as has_all_transactions,
        coalesce(
            whole_days.has_all_blocks and coalesce(transfer_days.output_count, 0) = whole_days.output_count, false
        ) as has_all_created,
        -- a coinbase counts as an input and has no row
        coalesce(
            whole_days.has_all_blocks
            and coalesce(transfer_days.input_count, 0) = whole_days.input_count - whole_days.block_count, false
        ) as has_all_inputs
    from whole_days
    left join transaction_days
        on whole_days.chain = transaction_days.chain and whole_days.block_date = transaction_days.block_date
    left join transfer_days
        on whole_days.chain = transfer_days.chain and whole_days.block_date = transfer_days.block_date

),

epochs as (

    select
        covered_days.chain,
        covered_days.block_date,
        count(*) as reward_epoch_number
    from covered_days
    inner join {{ ref('int_subsidies') }} as subsidies
        on
            covered_days.chain = subsidies.chain
            and covered_days.last_block_height >= subsidies.first_height
    group by covered_days.chain, covered_days.block_date

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
    from covered_days
    union
    select
        chain,
        marked_date
    from priced_days

)

select
    days.chain,
    days.marked_date,
    covered_days.chain is not null as has_blocks,
    coalesce(covered_days.has_all_blocks, false) as has_all_blocks,
    coalesce(covered_days.has_all_transactions, false) as has_all_transactions,
    coalesce(covered_days.has_all_created and covered_days.has_all_inputs, false) as has_all_outputs,
    coalesce(covered_days.has_all_inputs, false) as has_all_inputs,
    coalesce(covered_days.is_complete, false) as is_complete,
    cast(epochs.reward_epoch_number as integer) as reward_epoch_number,
    priced_days.chain is not null and closes.chain is null as is_price_gap
from days
left join covered_days on days.chain = covered_days.chain and days.marked_date = covered_days.block_date
left join epochs on days.chain = epochs.chain and days.marked_date = epochs.block_date
left join priced_days on days.chain = priced_days.chain and days.marked_date = priced_days.marked_date
left join closes on days.chain = closes.chain and days.marked_date = closes.close_date
