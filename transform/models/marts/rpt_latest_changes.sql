-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- amounts in USD to four decimals, as the models for BI tools hold them
with

network_days as (

    select
        networks.asset_key,
        networks.block_date as figure_date,
        figures.figure_name,
        figures.figure_unit,
        figures.figure_value
    from {{ ref('fct_network_daily') }} as networks
    cross join
        lateral (
            values
            ('transaction_count', 'count', cast(networks.transaction_count as numeric)),
            ('active_address_count', 'count', cast(networks.active_address_count as numeric)),
            ('transfer_value_usd', 'usd', round(networks.transfer_value_usd, 4)),
            ('fee_total_usd', 'usd', round(networks.fee_total_usd, 4)),
            ('fee_median_usd', 'usd', cast(networks.fee_median_usd as numeric)),
            ('hash_rate', 'hashes', cast(networks.hash_rate as numeric))
        ) as figures (figure_name, figure_unit, figure_value)
    where networks.has_all_blocks

),

market_days as (

    select
        prices.asset_key,
        prices.close_date as figure_date,
        figures.figure_name,
        figures.figure_unit,
        figures.figure_value
    from {{ ref('fct_market_prices_daily') }} as prices
    cross join lateral (
        values
        ('close_price_usd', 'usd', cast(prices.close_price_usd as numeric)),
        ('volume_24h_usd', 'usd', round(prices.volume_24h_usd, 4))
    ) as figures (figure_name, figure_unit, figure_value)

),

valuation_days as (

    select
        valuations.asset_key,
        valuations.block_date as figure_date,
        figures.figure_name,
        figures.figure_unit,
        figures.figure_value
    from {{ ref('fct_valuation_daily') }} as valuations
    cross join
        lateral (
            values
            ('mvrv', 'number', cast(valuations.mvrv as numeric)),
            ('spent_value_usd', 'usd', round(valuations.spent_value_usd, 4))
        ) as figures (figure_name, figure_unit, figure_value)
    where valuations.has_all_blocks

),

known_days as (

    select * from network_days
    union all
    select * from market_days
    union all
    select * from valuation_days

),

newest_days as (

    select distinct on (asset_key, figure_name)
        asset_key,
        figure_date,
        figure_name,
        figure_unit,
        figure_value
    from known_days
    where asset_key <> -1 and figure_value is not null
    order by asset_key asc, figure_name asc, figure_date desc

),

changes as (

    select
        newest_days.asset_key,
        newest_days.figure_date,
        newest_days.figure_name,
        newest_days.figure_unit,
        newest_days.figure_value,
        known_days.figure_value as day_before_value,
        {{ quotient('newest_days.figure_value - known_days.figure_value', 'known_days.figure_value', 8) }} as change_ratio
    from newest_days
    left join known_days
        on
            newest_days.asset_key = known_days.asset_key
            and newest_days.figure_name = known_days.figure_name
            and newest_days.figure_date - 1 = known_days.figure_date

)

select
    {{ surrogate_key(['asset_key', 'figure_name']) }} as change_key,
    asset_key,
    {{ date_key('figure_date') }} as date_key,
    figure_date,
    figure_name,
    figure_unit,
    figure_value,
    day_before_value,
    change_ratio,
    case when change_ratio is not null then rank() over (order by abs(change_ratio) desc nulls last) end as change_rank
from changes
