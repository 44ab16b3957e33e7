-- depends_on: {{ ref('int_integrity_failures') }}
with

closes as (

    select
        coin_id,
        close_date,
        stamped_at,
        close_price,
        -- the close of the day before, where that day is there: a gap is never bridged
        case
            when lag(close_date) over by_day = close_date - 1 then lag(close_price) over by_day
        end as open_price,
        market_cap,
        volume_24h,
        is_off_midnight,
        stamps_in_date
    from {{ ref('int_market_closes') }}
    where vs_currency = 'usd'
    window by_day as (partition by coin_id order by close_date)

),

-- the scale of the dividend says how many digits a quotient gets
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
        stamps_in_date
    from closes

),

assets as (

    select
        asset_key,
        coingecko_id
    from {{ ref('dim_asset') }}

)

select
    {{ surrogate_key(['compared.coin_id', 'compared.close_date']) }} as price_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('compared.close_date') }} as date_key,
    {{ surrogate_key(["'coingecko_daily_close'"]) }} as price_source_key,
    compared.coin_id as coingecko_id,
    compared.close_date,
    compared.open_price as open_price_usd,
    compared.close_price as close_price_usd,
    compared.market_cap as coingecko_market_cap_usd,
    compared.volume_24h as volume_24h_usd,
    round(compared.close_to_open - 1, 18) as return_ratio,
    case when compared.close_to_open > 0 then round(ln(compared.close_to_open), 18) end as log_return,
    -- gaps stay gaps, so a row is always a point of the source's
    false as is_imputed,
    'coingecko_daily_close' as price_source,
    compared.stamped_at,
    compared.is_off_midnight,
    compared.stamps_in_date
from compared
left join assets on compared.coin_id = assets.coingecko_id
