with

source as (

    {{ raw_table('coingecko', 'coins_markets') }}

),

renamed as (

    select
        -- ids
        id as coin_id,
        vs_currency,
        symbol,
        name as coin_name,

        -- times
        observed_at,
        last_updated as last_updated_at,

        -- price
        current_price,
        high_24h,
        low_24h,
        price_change_24h,
        price_change_percentage_24h as price_change_24h_percent,

        -- capitalisation
        market_cap,
        market_cap_rank,
        fully_diluted_valuation,
        market_cap_change_24h,
        market_cap_change_percentage_24h as market_cap_change_24h_percent,
        total_volume as volume_24h,

        -- supply, in coins
        circulating_supply as circulating_supply_native,
        total_supply as total_supply_native,
        max_supply as max_supply_native,

        -- extremes
        ath as all_time_high,
        ath_change_percentage as all_time_high_change_percent,
        ath_date as all_time_high_at,
        atl as all_time_low,
        atl_change_percentage as all_time_low_change_percent,
        atl_date as all_time_low_at,
        roi as return_on_investment,

        -- presentation
        image as image_url

    from source

)

select * from renamed
