-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

closes as (

    select
        coin_id,
        close_date,
        stamped_at,
        close_price,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date
    from {{ ref('int_market_closes') }}
    where vs_currency = 'usd'

),

-- every day from a coin's first point to its last, so that one without a close says so
coin_days as (

    select
        coin_id,
        cast(
            generate_series(cast(min(close_date) as timestamp), cast(max(close_date) as timestamp), interval '1 day') as date
        ) as close_date
    from closes
    group by coin_id

),

days as (

    select
        coin_days.coin_id,
        coin_days.close_date,
        closes.stamped_at,
        closes.close_price,
        -- the close of the day before; a gap is never bridged
        case when closes.close_price is not null then lag(closes.close_price) over by_day end as open_price,
        closes.market_cap,
        closes.volume_24h,
        closes.is_off_midnight,
        coalesce(closes.stamps_in_date, 0) as stamps_in_date,
        case when closes.close_price is null then 'missing' else 'priced' end as price_status,
        case when closes.close_price is null then 'none' else 'coingecko_daily_close' end as price_source
    from coin_days
    -- by the date alone, which a join can hash: by the coin it may compare each of its days with each
    left join closes on coin_days.close_date = closes.close_date and coin_days.coin_id is not distinct from closes.coin_id
    window by_day as (partition by coin_days.coin_id order by coin_days.close_date)

),

-- the scale of the dividend says how many digits a quotient gets that a logarithm is taken of
compared as (

    select
        coin_id,
        close_date,
        stamped_at,
        close_price,
        open_price,
        cast(close_price as numeric(38, 22)) / nullif(open_price, 0) as close_to_open,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date,
        price_status,
        price_source
    from days

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id') }})

select
    {{ surrogate_key(['compared.coin_id', 'compared.close_date']) }} as price_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('compared.close_date') }} as date_key,
    {{ surrogate_key(['compared.price_source']) }} as price_source_key,
    compared.coin_id as coingecko_id,
    compared.close_date,
    compared.open_price as open_price_usd,
    compared.close_price as close_price_usd,
    compared.market_cap as coingecko_market_cap_usd,
    compared.volume_24h as volume_24h_usd,
    {{ quotient('compared.close_price - compared.open_price', 'compared.open_price', 18) }} as return_ratio,
    case when compared.close_to_open > 0 then round(ln(compared.close_to_open), 18) end as log_return,
    compared.price_status,
    compared.price_source,
    compared.stamped_at,
    compared.is_off_midnight,
    compared.stamps_in_date
from compared
left join assets on compared.coin_id = assets.coingecko_id
