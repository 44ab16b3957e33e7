-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

daily_returns as (

    select
        asset_key,
        date_key,
        coingecko_id,
        close_date,
        log_return
    from {{ ref('fct_market_prices_daily') }}
    where log_return is not null

),

-- both orders of each pair: a matrix can be read by row, and beta has a direction
common_days as (

    select
        daily_returns.asset_key,
        benchmarks.asset_key as benchmark_asset_key,
        daily_returns.date_key,
        daily_returns.coingecko_id,
        benchmarks.coingecko_id as benchmark_coingecko_id,
        daily_returns.close_date,
        daily_returns.log_return as asset_return,
        benchmarks.log_return as benchmark_return
    from daily_returns
    inner join daily_returns as benchmarks
        on
            daily_returns.close_date = benchmarks.close_date
            and daily_returns.coingecko_id <> benchmarks.coingecko_id

),

-- sums of numerics are exact, so a moving window leaves no rounding behind
summed as (

    {% for window_days in var('asset_pair_windows') %}
        select
            asset_key,
            benchmark_asset_key,
            date_key,
            coingecko_id,
            benchmark_coingecko_id,
            close_date,
            {{ window_days }} as window_days,
            count(*) over in_window as observation_count,
            sum(asset_return) over in_window as asset_sum,
            sum(benchmark_return) over in_window as benchmark_sum,
            sum(asset_return * asset_return) over in_window as asset_squares,
            sum(benchmark_return * benchmark_return) over in_window as benchmark_squares,
            sum(asset_return * benchmark_return) over in_window as products
        from common_days
        window
            in_window as (
                partition by coingecko_id, benchmark_coingecko_id order by close_date
                range between interval '{{ (window_days | int) - 1 }} days' preceding and current row
            )
        {{ "union all" if not loop.last }}
    {% endfor %}

),

-- each times the square of the count, which cancels out
moments as (

    select
        asset_key,
        benchmark_asset_key,
        date_key,
        coingecko_id,
        benchmark_coingecko_id,
        close_date,
        window_days,
        observation_count,
        observation_count * products - asset_sum * benchmark_sum as covariance,
        observation_count * asset_squares - asset_sum * asset_sum as asset_variance,
        observation_count * benchmark_squares - benchmark_sum * benchmark_sum as benchmark_variance
    from summed

),

measured as (

    select
        asset_key,
        benchmark_asset_key,
        date_key,
        coingecko_id,
        benchmark_coingecko_id,
        close_date,
        window_days,
        observation_count,
        round(covariance / nullif(sqrt(asset_variance) * sqrt(benchmark_variance), 0), 12) as return_correlation,
        {{ quotient('covariance', 'benchmark_variance', 12) }} as return_beta
    from moments

)

select
    {{ surrogate_key(['coingecko_id', 'benchmark_coingecko_id', 'close_date', 'window_days']) }} as pair_key,
    asset_key,
    benchmark_asset_key,
    date_key,
    coingecko_id,
    benchmark_coingecko_id,
    close_date,
    window_days,
    observation_count,
    -- of two returns the correlation is 1 or -1 whatever they are: the plain figures are of windows without a gap
    case when observation_count = window_days then return_correlation end as return_correlation,
    case when observation_count = window_days then return_beta end as return_beta,
    return_correlation as return_correlation_known,
    return_beta as return_beta_known
from measured
