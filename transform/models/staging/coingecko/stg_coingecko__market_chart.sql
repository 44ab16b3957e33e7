with

source as (

    {{ raw_table('coingecko', 'market_chart') }}

),

-- CoinGecko's daily point is taken at midnight. A few are stamped off midnight, some in place of the 00:00 point and
-- some beside it: the first stamp of a date counts as its midnight, and the later ones are only counted.
dated as (

    select
        coin_id,
        vs_currency,
        granularity,
        stamp,
        {{ utc_date('stamp') }} as utc_stamp_date,
        price,
        market_cap,
        total_volume,
        granularity = 'daily' as is_daily,
        row_number() over (same_date order by stamp) as place_in_date,
        count(*) over same_date as stamps_in_date
    from source
    window same_date as (partition by coin_id, vs_currency, granularity, {{ utc_date('stamp') }})

),

renamed as (

    select
        -- ids
        coin_id,
        vs_currency,
        granularity,

        -- times: midnight at the start of a day closes the day before; a point within a day closes none
        case when is_daily then utc_stamp_date - 1 end as close_date,
        stamp as stamped_at,

        -- amounts
        price,
        market_cap,
        total_volume as volume_24h,

        -- flags
        stamp at time zone 'UTC' <> cast(utc_stamp_date as timestamp) as is_off_midnight,
        stamps_in_date

    from dated
    where not is_daily or place_in_date = 1

)

select * from renamed
