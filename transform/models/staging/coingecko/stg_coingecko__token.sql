with

source as (

    {{ raw_table('coingecko', 'token') }}

),

renamed as (

    select
        -- ids: rows of the Hub's tap do not say which coin they are of, so a variable does
        coalesce(coin_id, nullif('{{ var("coingecko_token_coin") }}', '')) as coin_id,
        'usd' as vs_currency,

        -- times: midnight at the start of a day closes the day before
        date - 1 as close_date,
        cast(date as timestamp) at time zone 'UTC' as stamped_at,

        -- amounts
        price_usd as close_price,
        market_cap_usd as market_cap,
        total_volume_usd as volume_24h,

        -- flags
        price_usd is not null as has_price,

        -- what CoinGecko stopped sending
        community_data,
        public_interest_stats

    from source

)

select * from renamed
