-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- The coins alive at the end of each chain's newest whole day, by what they cost: from flows by day of creation alone.
{% set counted = "true" if var('count_unspendable_supply') else "is_spendable" %}
with

-- bands of a leading digit: 1 to 2, 2 to 3 and so on up to 9 to 10, in each power of ten
digits as (

    select
        cast(digit || 'e' || power_of_ten as numeric) as min_price_usd,
        cast((digit + 1) || 'e' || power_of_ten as numeric) as max_price_usd
    from generate_series(1, 9) as digits (digit)
    cross join generate_series(-18, 12) as powers (power_of_ten)

),

newest_days as (

    select
        chain,
        max(marked_date) as block_date
    from {{ ref('int_day_marks') }}
    where is_complete and has_all_outputs
    group by chain

),

supplies as (

    select
        chain,
        block_date,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

flows as (

    select
        chain,
        block_date,
        created_date,
        event_type = 'created' as is_created,
        case when not {{ counted }} then 0 when event_type = 'created' then value_base else -value_base end as live_base,
        case when not {{ counted }} then 0 when event_type = 'created' then output_count else -output_count end as output_count
    from {{ ref('int_coin_age_flows') }}

),

-- coins of days whose outputs are not loaded are not known, nor is what was spent of them
cohorts as (

    select
        flows.chain,
        newest_days.block_date,
        flows.created_date,
        sum(flows.live_base) as live_base,
        sum(flows.output_count) as output_count
    from flows
    inner join newest_days on flows.chain = newest_days.chain and flows.block_date <= newest_days.block_date
    group by flows.chain, newest_days.block_date, flows.created_date
    having bool_or(flows.is_created)

),

closes as (

    select
        chain,
        base_unit_decimals,
        close_date,
        close_price
    from {{ ref('int_chain_closes') }}

),

bands as (

    select
        cohorts.chain,
        cohorts.block_date,
        digits.min_price_usd,
        digits.max_price_usd,
        sum(cohorts.live_base) as live_base,
        cast(sum(cohorts.output_count) as bigint) as output_count,
        round(
            sum(cohorts.live_base * created_closes.close_price) * cast('1e-' || max(created_closes.base_unit_decimals) as numeric), 8
        ) as realised_value_usd
    from cohorts
    left join closes as created_closes
        on cohorts.chain = created_closes.chain and cohorts.created_date = created_closes.close_date
    left join digits
        on created_closes.close_price >= digits.min_price_usd and created_closes.close_price < digits.max_price_usd
    where cohorts.live_base <> 0
    group by cohorts.chain, cohorts.block_date, digits.min_price_usd, digits.max_price_usd

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['bands.chain', 'bands.block_date', 'bands.min_price_usd']) }} as price_distribution_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('bands.block_date') }} as date_key,
    bands.chain,
    bands.block_date,
    case
        when bands.min_price_usd is null then 'unknown'
        else trim_scale(bands.min_price_usd) || ' to ' || trim_scale(bands.max_price_usd) || ' USD'
    end as price_band,
    cast(row_number() over (partition by bands.chain order by bands.min_price_usd nulls first) as integer) as band_order,
    bands.min_price_usd,
    bands.max_price_usd,
    day_closes.close_price as close_price_usd,
    bands.live_base as counted_supply_base,
    {{ quotient('bands.live_base', 'sum(bands.live_base) over (partition by bands.chain)', 8) }} as supply_share,
    bands.output_count,
    bands.realised_value_usd,
    supplies.coverage_ratio,
    coalesce(supplies.is_partial, true) as is_partial,
    -- of no other day is there a row
    true as is_final,
    true as has_all_blocks,
    true as has_all_outputs
from bands
left join supplies on bands.chain = supplies.chain and bands.block_date = supplies.block_date
left join assets on bands.chain = assets.chain
left join closes as day_closes on bands.chain = day_closes.chain and bands.block_date = day_closes.close_date
