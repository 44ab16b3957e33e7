-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

points as (

    select
        coin_id,
        granularity,
        stamped_at,
        {{ utc_date('stamped_at') }} as price_date,
        price,
        market_cap,
        volume_24h
    from {{ ref('stg_coingecko__market_chart') }}
    where
        vs_currency = 'usd'
        and granularity <> 'daily'

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id') }})

select
    {{ surrogate_key(['points.coin_id', 'points.granularity', 'extract(epoch from points.stamped_at)']) }} as price_point_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('points.price_date') }} as date_key,
    cast(to_char(points.stamped_at at time zone 'UTC', 'HH24MI') as integer) as time_key,
    {{ surrogate_key(["'coingecko_intraday_point'"]) }} as price_source_key,
    points.coin_id as coingecko_id,
    points.granularity,
    points.stamped_at,
    points.price_date,
    points.price as price_usd,
    points.market_cap as coingecko_market_cap_usd,
    points.volume_24h as volume_24h_usd
from points
left join assets on points.coin_id = assets.coingecko_id
