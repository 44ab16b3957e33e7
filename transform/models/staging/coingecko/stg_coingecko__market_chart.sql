with

source as (

    {{ raw_table('coingecko', 'market_chart') }}

),

dated as (

    select
        coin_id,
        vs_currency,
        granularity,
        stamp,
        {{ utc_date('stamp') }} as utc_stamp_date,
        price,
        market_cap,
        total_volume
    from source

),

-- a point within a day closes none
closing as (

    select
        coin_id,
        vs_currency,
        granularity,
        stamp,
        utc_stamp_date,
        price,
        market_cap,
        total_volume,
        case when granularity = 'daily' then {{ close_date('utc_stamp_date') }} end as close_date
    from dated

),

-- Of the points of one close one counts, the others are only counted. CoinGecko's daily point is taken at midnight; a few
-- are stamped off midnight, some in place of the 00:00 point and some beside it: the first of a date counts. The close of
-- 2018-01-29 has points of two dates: the later one counts. A point without a price does where there is no other.
placed as (

    select
        coin_id,
        vs_currency,
        granularity,
        stamp,
        utc_stamp_date,
        price,
        market_cap,
        total_volume,
        close_date,
        row_number() over (same_close order by price is null asc, utc_stamp_date desc, stamp asc) as place_in_date,
        count(*) over same_close as stamps_in_date
    from closing
    window same_close as (partition by coin_id, vs_currency, granularity, coalesce(close_date, utc_stamp_date))

),

renamed as (

    select
        -- ids
        coin_id,
        vs_currency,
        granularity,

        -- times
        close_date,
        stamp as stamped_at,

        -- amounts
        price,
        market_cap,
        total_volume as volume_24h,

        -- flags
        stamp at time zone 'UTC' <> cast(utc_stamp_date as timestamp) as is_off_midnight,
        stamps_in_date

    from placed
    where close_date is null or place_in_date = 1

)

select * from renamed
