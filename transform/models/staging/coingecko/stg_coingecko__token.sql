with

source as (

    {{ raw_table('coingecko', 'token') }}

),

renamed as (

    select
        -- ids: rows of the Hub's tap do not say which coin they are of, so a variable does
        coalesce(coin_id, nullif('{{ var("coingecko_token_coin") }}', '')) as coin_id,
        'usd' as vs_currency,

        -- times
        {{ close_date('date') }} as close_date,
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

),

-- the close of 2018-01-29 has rows of two dates, of which the later one counts, or the one that has a price
placed as (

    select
        *,
        first_value(stamped_at) over (
            partition by coin_id, close_date order by has_price desc, stamped_at desc
        ) as counted_stamp
    from renamed

)

select
    coin_id,
    vs_currency,
    close_date,
    stamped_at,
    close_price,
    market_cap,
    volume_24h,
    has_price,
    community_data,
    public_interest_stats
from placed
where stamped_at = counted_stamp
