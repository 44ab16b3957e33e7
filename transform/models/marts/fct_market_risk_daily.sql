-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set windows = var('market_risk_windows') %}
with

prices as (

    select
        asset_key,
        date_key,
        coingecko_id,
        close_date,
        close_price_usd,
        log_return,
        max(close_price_usd) over (
            partition by coingecko_id order by close_date rows between unbounded preceding and current row
        ) as highest_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

-- by days and not by rows, so that a gap shortens no window's reach
measured as (

    {% for window_days in windows %}
        select
            asset_key,
            date_key,
            coingecko_id,
            close_date,
            {{ window_days }} as window_days,
            close_price_usd,
            highest_price_usd,
            count(close_price_usd) over in_window as close_observation_count,
            count(log_return) over in_window as return_observation_count,
            stddev_samp(log_return) over in_window as return_deviation,
            max(close_price_usd) over (
                partition by coingecko_id order by close_date
                range between interval '{{ window_days }} days' preceding and interval '{{ window_days }} days' preceding
            ) as close_price_before_usd
        from prices
        window
            in_window as (
                partition by coingecko_id order by close_date
                range between interval '{{ (window_days | int) - 1 }} days' preceding and current row
            )
        {{ "union all" if not loop.last }}
    {% endfor %}

),

complete as (

    select
        asset_key,
        date_key,
        coingecko_id,
        close_date,
        window_days,
        close_price_usd,
        highest_price_usd,
        close_price_before_usd,
        close_observation_count,
        return_observation_count,
        case when return_observation_count = window_days then return_deviation end as volatility
    from measured

),

drawdowns as (

    select
        coin_id,
        close_date,
        window_days,
        max_drawdown_ratio
    from {{ ref('int_market_drawdowns') }}

)

select
    {{ surrogate_key(['complete.coingecko_id', 'complete.close_date', 'complete.window_days']) }} as risk_key,
    complete.asset_key,
    complete.date_key,
    complete.coingecko_id,
    complete.close_date,
    complete.window_days,
    complete.close_observation_count,
    complete.return_observation_count,
    round(complete.volatility, 18) as volatility,
    round(complete.volatility * sqrt(cast(365 as numeric(38, 30))), 18) as volatility_annualised,
    {{ quotient('complete.close_price_usd - complete.highest_price_usd', 'complete.highest_price_usd', 18) }} as drawdown_ratio,
    drawdowns.max_drawdown_ratio,
    {{ quotient('complete.close_price_usd - complete.close_price_before_usd', 'complete.close_price_before_usd', 18) }} as roi_ratio
from complete
left join drawdowns
    on
        complete.coingecko_id = drawdowns.coin_id
        and complete.close_date = drawdowns.close_date
        and complete.window_days = drawdowns.window_days
