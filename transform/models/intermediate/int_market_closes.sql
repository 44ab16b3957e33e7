-- The close of each day, from CoinGecko's chart where that has the day, else from the rows that the Hub's tap knows.
with

charted as (

    select
        coin_id,
        vs_currency,
        close_date,
        stamped_at,
        price as close_price,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date
    from {{ ref('stg_coingecko__market_chart') }}
    where granularity = 'daily'

),

told as (

    select
        coin_id,
        vs_currency,
        close_date,
        stamped_at,
        close_price,
        market_cap,
        volume_24h,
        false as is_off_midnight,
        cast(1 as bigint) as stamps_in_date
    from {{ ref('stg_coingecko__token') }}
    where has_price

)

select
    coin_id,
    vs_currency,
    close_date,
    stamped_at,
    close_price,
    market_cap,
    volume_24h,
    is_off_midnight,
    stamps_in_date
from charted

union all

select
    told.coin_id,
    told.vs_currency,
    told.close_date,
    told.stamped_at,
    told.close_price,
    told.market_cap,
    told.volume_24h,
    told.is_off_midnight,
    told.stamps_in_date
from told
left join charted
    on
        told.coin_id = charted.coin_id
        and told.vs_currency = charted.vs_currency
        and told.close_date = charted.close_date
where charted.coin_id is null
