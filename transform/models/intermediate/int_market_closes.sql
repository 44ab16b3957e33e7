-- The close of each day, from CoinGecko's chart where that has the day, else from the rows that the Hub's tap knows.
with

points as (

    select
        coin_id,
        vs_currency,
        close_date,
        stamped_at,
        price as close_price,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date,
        true as is_charted
    from {{ ref('stg_coingecko__market_chart') }}
    where granularity = 'daily'

    union all

    select
        coin_id,
        vs_currency,
        close_date,
        stamped_at,
        close_price,
        market_cap,
        volume_24h,
        false as is_off_midnight,
        cast(1 as bigint) as stamps_in_date,
        false as is_charted
    from {{ ref('stg_coingecko__token') }}
    where has_price

)

-- the close of 2018-01-29 has points of two dates, of which the later one counts also where only the other is charted
select distinct on (coin_id, vs_currency, close_date)
    coin_id,
    vs_currency,
    close_date,
    stamped_at,
    close_price,
    market_cap,
    volume_24h,
    is_off_midnight,
    stamps_in_date
from points
order by
    coin_id asc, vs_currency asc, close_date asc, close_price is null asc, {{ utc_date('stamped_at') }} desc, is_charted desc
