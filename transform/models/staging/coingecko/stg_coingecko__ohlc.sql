with

source as (

    {{ raw_table('coingecko', 'ohlc') }}

),

lengths as (

    select
        coin_id,
        vs_currency,
        granularity,
        stamp,
        open,
        high,
        low,
        close,
        case granularity
            when '4h' then interval '4 hours'
            when 'daily' then interval '1 day'
        end as candle_length
    from source

),

renamed as (

    select
        -- ids
        coin_id,
        vs_currency,
        granularity,

        -- times: CoinGecko's stamp is the close; a day as long as any other, whatever the session's time zone
        (stamp at time zone 'UTC' - candle_length) at time zone 'UTC' as opened_at,
        stamp as closed_at,

        -- amounts
        open as open_price,
        high as high_price,
        low as low_price,
        close as close_price

    from lengths

)

select * from renamed
