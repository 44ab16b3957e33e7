-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

candles as (

    select
        coin_id,
        granularity,
        opened_at,
        closed_at,
        {{ utc_date('opened_at') }} as open_date,
        open_price,
        high_price,
        low_price,
        close_price
    from {{ ref('stg_coingecko__ohlc') }}
    where vs_currency = 'usd'

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id') }})

select
    {{ surrogate_key(['candles.coin_id', 'candles.granularity', 'extract(epoch from candles.closed_at)']) }} as candle_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('candles.open_date') }} as date_key,
    coalesce(cast(to_char(candles.opened_at at time zone 'UTC', 'HH24MI') as integer), -1) as time_key,
    {{ surrogate_key(["'coingecko_candle'"]) }} as price_source_key,
    candles.coin_id as coingecko_id,
    candles.granularity,
    candles.opened_at,
    candles.closed_at,
    candles.open_price as open_price_usd,
    candles.high_price as high_price_usd,
    candles.low_price as low_price_usd,
    candles.close_price as close_price_usd
from candles
left join assets on candles.coin_id = assets.coingecko_id
