{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ one_at_a_time() }}", "create sequence if not exists {{ this.schema }}.change_id"],
    )
}}
-- CoinGecko's rows are not loaded by slices, so changes are found by comparing: one close for each coin and day.
with

chain_assets as ({{ columns_of(ref('int_chains'), 'coingecko_id, chain') }}),

closes as (

    select
        chain_assets.chain,
        market_closes.close_date,
        market_closes.close_price
    from {{ ref('int_market_closes') }} as market_closes
    inner join chain_assets on market_closes.coin_id = chain_assets.coingecko_id
    where market_closes.vs_currency = 'usd'

),

known as (

    select distinct on (chain, close_date)
        chain,
        close_date,
        close_price
    from {{ rows_so_far() if adds_rows() else "(select *, 0 as change_id from closes where false) as earlier" }}
    order by chain asc, close_date asc, change_id desc

)

select
    coalesce(closes.chain, known.chain) as chain,
    coalesce(closes.close_date, known.close_date) as close_date,
    closes.close_price,
    {{ next_change_id() }} as change_id
from closes
full join known on closes.chain = known.chain and closes.close_date = known.close_date
where closes.close_price is distinct from known.close_price
