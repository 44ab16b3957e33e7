-- Measures of each coin's newest day that has them: Close Price USD, Transactions, Fees USD
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

newest as (

    select
        asset_key,
        max(figure_value) filter (where figure_name = 'close_price_usd') as close_price_usd,
        max(change_ratio) filter (where figure_name = 'close_price_usd') as close_change_ratio,
        max(figure_value) filter (where figure_name = 'transaction_count') as transaction_count,
        max(figure_value) filter (where figure_name = 'fee_total_usd') as fee_total_usd,
        max(figure_date) filter (where figure_name = 'close_price_usd') as close_date,
        max(figure_date) filter (where figure_name = 'transaction_count') as block_date
    from bi_latest_changes
    group by asset_key

),

states as (

    select
        asset_key,
        complete_through_date,
        checked_through_date
    from bi_asset_status

)

select
    coins.coin,
    coins.asset_name,
    newest.close_price_usd as "Close Price USD",
    newest.close_change_ratio,
    cast(newest.transaction_count as bigint) as "Transactions",
    newest.fee_total_usd as "Fees USD",
    newest.close_date,
    newest.block_date,
    states.complete_through_date,
    states.checked_through_date
from coins
left join newest on coins.asset_key = newest.asset_key
left join states on coins.asset_key = states.asset_key
order by array_position(%(coins)s, coins.coin)
