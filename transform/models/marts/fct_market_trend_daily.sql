-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'coingecko_id, close_date, close_price_usd') }}),

-- the last one of each UTC day
observations as (

    select distinct on (coin_id, {{ utc_date('observed_at') }})
        coin_id as coingecko_id,
        {{ utc_date('observed_at') }} as observed_date,
        observed_at,
        circulating_supply_native,
        total_supply_native,
        max_supply_native,
        fully_diluted_valuation
    from {{ ref('stg_coingecko__coins_markets') }}
    where vs_currency = 'usd'
    order by coin_id asc, {{ utc_date('observed_at') }} asc, observed_at desc

),

coin_days as (

    select
        coingecko_id,
        close_date
    from prices

    union

    select
        coingecko_id,
        observed_date as close_date
    from observations

),

-- windows are of days and not of rows
measured as (

    select
        coin_days.coingecko_id,
        coin_days.close_date,
        prices.close_price_usd,
        sum(prices.close_price_usd) over last_50 as close_sum_50d,
        count(prices.close_price_usd) over last_50 as close_count_50d,
        sum(prices.close_price_usd) over last_100 as close_sum_100d,
        count(prices.close_price_usd) over last_100 as close_count_100d,
        sum(prices.close_price_usd) over last_200 as close_sum_200d,
        count(prices.close_price_usd) over last_200 as close_count_200d,
        max(prices.close_price_usd) over so_far as all_time_high_usd
    from coin_days
    left join prices on coin_days.coingecko_id = prices.coingecko_id and coin_days.close_date = prices.close_date
    window
        so_far as (partition by coin_days.coingecko_id order by coin_days.close_date),
        last_50 as (
            partition by coin_days.coingecko_id order by coin_days.close_date
            range between interval '49 days' preceding and current row
        ),
        last_100 as (
            partition by coin_days.coingecko_id order by coin_days.close_date
            range between interval '99 days' preceding and current row
        ),
        last_200 as (
            partition by coin_days.coingecko_id order by coin_days.close_date
            range between interval '199 days' preceding and current row
        )

),

compared_highs as (

    select
        coingecko_id,
        close_date,
        close_price_usd,
        case when close_count_50d = 50 then close_sum_50d end as close_sum_50d,
        case when close_count_100d = 100 then close_sum_100d end as close_sum_100d,
        case when close_count_200d = 200 then close_sum_200d end as close_sum_200d,
        all_time_high_usd,
        lag(all_time_high_usd) over (partition by coingecko_id order by close_date) as high_before_usd
    from measured

),

dated_highs as (

    select
        coingecko_id,
        close_date,
        close_price_usd,
        close_sum_50d,
        close_sum_100d,
        close_sum_200d,
        all_time_high_usd,
        max(case when all_time_high_usd is distinct from high_before_usd then close_date end) over (
            partition by coingecko_id order by close_date
        ) as all_time_high_date
    from compared_highs

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id') }})

select
    {{ surrogate_key(['dated_highs.coingecko_id', 'dated_highs.close_date']) }} as trend_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('dated_highs.close_date') }} as date_key,
    dated_highs.coingecko_id,
    dated_highs.close_date,
    dated_highs.close_price_usd,
    case when dated_highs.close_price_usd is null then 'missing' else 'priced' end as price_status,
    {{ quotient('dated_highs.close_sum_50d', '50', 22) }} as close_mean_50d_usd,
    {{ quotient('dated_highs.close_sum_100d', '100', 22) }} as close_mean_100d_usd,
    {{ quotient('dated_highs.close_sum_200d', '200', 22) }} as close_mean_200d_usd,
    {{ quotient('200 * dated_highs.close_price_usd', 'dated_highs.close_sum_200d', 18) }} as mayer_multiple,
    dated_highs.all_time_high_usd,
    dated_highs.all_time_high_date,
    observations.observed_at,
    observations.circulating_supply_native,
    observations.total_supply_native,
    observations.max_supply_native,
    observations.fully_diluted_valuation as fully_diluted_value_usd
from dated_highs
left join observations
    on
        dated_highs.coingecko_id = observations.coingecko_id
        and dated_highs.close_date = observations.observed_date
left join assets on dated_highs.coingecko_id = assets.coingecko_id
