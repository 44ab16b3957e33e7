-- The largest balances of each coin's last snapshot up to the end of the span.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

last_days as (

    select
        asset_key,
        max(observed_date) as observed_date
    from bi_balances
    where observed_date <= %(last)s
    group by asset_key

),

balances as (

    select
        asset_key,
        observed_date,
        address,
        balance_rank,
        balance_native,
        balance_base_text,
        balance_usd
    from bi_balances
    where balance_rank <= 50

)

select
    balances.observed_date,
    coins.coin,
    coins.asset_name,
    balances.balance_rank,
    balances.address,
    balances.balance_native,
    balances.balance_base_text,
    balances.balance_usd
from balances
inner join last_days on balances.asset_key = last_days.asset_key and balances.observed_date = last_days.observed_date
inner join coins on balances.asset_key = coins.asset_key
order by array_position(%(coins)s, coins.coin), balances.balance_rank, balances.address
