{{ config(materialized='changed_days', meta={'cumulative': true}) }}
-- For each day the coins alive at its end, by age: what a day of creation made, less what was spent of it up to that day.
-- Coins of days whose outputs are not loaded are not known and not here, nor is what was spent of them.
{% set counted = "true" if var('count_unspendable_supply') else "is_spendable" %}
{% set terms = [
    ('long_term', 'lived.age_days >= ' ~ long_term_days()), ('short_term', 'lived.age_days < ' ~ long_term_days())
] %}
with

spans as (

    select
        chain,
        min(block_date) as first_date,
        max(block_date) as last_date
    from {{ ref('int_coin_age_flows') }}
    group by chain

),

all_days as (

    select
        chain,
        cast(generate_series(cast(first_date as timestamp), cast(last_date as timestamp), interval '1 day') as date) as block_date
    from spans

),

days as (

    select
        chain,
        block_date
    from all_days
    where {{ in_changed_days('block_date') }}

),

flows as (

    select
        chain,
        block_date,
        created_date,
        event_type = 'created' as is_created,
        {{ in_changed_days('block_date') }} as is_changed,
        case when event_type = 'created' then value_base else -value_base end as all_base,
        case when not {{ counted }} then 0 when event_type = 'created' then value_base else -value_base end as live_base,
        case when not {{ counted }} then 0 when event_type = 'created' then output_count else -output_count end as output_count
    from {{ ref('int_coin_age_flows') }}
    where chain in (select days.chain from days)

),

-- what was there before the first day that has to be computed; nothing on a rebuild
cohorts as (

    select
        chain,
        created_date,
        coalesce(sum(all_base) filter (where not is_changed), 0) as all_base,
        coalesce(sum(live_base) filter (where not is_changed), 0) as live_base,
        coalesce(sum(output_count) filter (where not is_changed), 0) as output_count
    from flows
    group by chain, created_date
    having bool_or(is_created)

),

moves as (

    select
        chain,
        created_date,
        block_date,
        sum(all_base) as all_base,
        sum(live_base) as live_base,
        sum(output_count) as output_count
    from flows
    where is_changed
    group by chain, created_date, block_date

),

lived as (

    select
        cohorts.chain,
        days.block_date,
        cohorts.created_date,
        days.block_date - cohorts.created_date as age_days,
        cohorts.all_base + sum(coalesce(moves.all_base, 0)) over cohort_days as all_base,
        cohorts.live_base + sum(coalesce(moves.live_base, 0)) over cohort_days as live_base,
        cohorts.output_count + sum(coalesce(moves.output_count, 0)) over cohort_days as output_count
    from cohorts
    inner join days on cohorts.chain = days.chain and cohorts.created_date <= days.block_date
    left join moves
        on
            cohorts.chain = moves.chain
            and cohorts.created_date = moves.created_date
            and days.block_date = moves.block_date
    window cohort_days as (partition by cohorts.chain, cohorts.created_date order by days.block_date)

),

closes as (

    select
        chain,
        base_unit_decimals,
        close_date,
        close_price,
        nearest_close_price
    from {{ ref('int_chain_closes') }}

),

bands as (

    select
        age_band,
        min_days,
        max_days,
        band_order
    from {{ ref('age_bands') }}

),

-- each age in days with its band, to join by; the last band's end is a century after its beginning
age_days as (

    select
        age_band,
        generate_series(min_days, coalesce(max_days, min_days + 36525)) as age_days
    from bands

),

valued as (

    select
        lived.chain,
        lived.block_date,
        age_days.age_band,
        sum(lived.all_base) as all_base,
        sum(lived.live_base) as live_base,
        sum(lived.output_count) as output_count,
        sum(lived.live_base) filter (where created_closes.close_price is not null) as priced_base,
        -- exact, and rounded where it is published: a sum of rounded bands is not the rounded sum
        -- null where no coin of a day with a close is left
        sum(lived.live_base * created_closes.close_price) filter (where lived.live_base <> 0)
        * cast('1e-' || max(created_closes.base_unit_decimals) as numeric) as realised_value_usd,
        coalesce(sum(lived.live_base * created_closes.nearest_close_price) filter (where created_closes.close_price is null), 0)
        * cast('1e-' || max(created_closes.base_unit_decimals) as numeric) as unpriced_value_usd,
        sum(lived.live_base) filter (where day_closes.close_price > created_closes.close_price) as in_profit_base,
        sum(lived.live_base) filter (where day_closes.close_price < created_closes.close_price) as in_loss_base,
        {%- for term, is_of_term in terms %}
            sum(lived.live_base) filter (where {{ is_of_term }}) as {{ term }}_live_base,
            sum(lived.output_count) filter (where {{ is_of_term }}) as {{ term }}_output_count,
            sum(lived.live_base) filter (where {{ is_of_term }} and created_closes.close_price is not null) as {{ term }}_priced_base,
            sum(lived.live_base * created_closes.close_price) filter (where {{ is_of_term }} and lived.live_base <> 0)
            * cast('1e-' || max(created_closes.base_unit_decimals) as numeric) as {{ term }}_realised_value_usd,
            sum(lived.live_base * created_closes.nearest_close_price) filter (where {{ is_of_term }} and created_closes.close_price is null)
            * cast('1e-' || max(created_closes.base_unit_decimals) as numeric) as {{ term }}_unpriced_value_usd,
        {%- endfor %}
        sum(lived.live_base * lived.age_days) as calendar_coin_days_base
    from lived
    inner join age_days on lived.age_days = age_days.age_days
    left join closes as created_closes
        on lived.chain = created_closes.chain and lived.created_date = created_closes.close_date
    left join closes as day_closes
        on lived.chain = day_closes.chain and lived.block_date = day_closes.close_date
    group by lived.chain, lived.block_date, age_days.age_band

),

day_bands as (

    select
        days.chain,
        days.block_date,
        bands.age_band,
        bands.band_order
    from days
    cross join bands

)

select
    day_bands.chain,
    day_bands.block_date,
    day_bands.age_band,
    day_bands.band_order,
    coalesce(valued.all_base, 0) as all_base,
    coalesce(valued.live_base, 0) as live_base,
    cast(coalesce(valued.output_count, 0) as bigint) as output_count,
    coalesce(valued.priced_base, 0) as priced_base,
    valued.realised_value_usd,
    coalesce(valued.unpriced_value_usd, 0) as unpriced_value_usd,
    coalesce(valued.in_profit_base, 0) as in_profit_base,
    coalesce(valued.in_loss_base, 0) as in_loss_base,
    {%- for term, is_of_term in terms %}
        coalesce(valued.{{ term }}_live_base, 0) as {{ term }}_live_base,
        cast(coalesce(valued.{{ term }}_output_count, 0) as bigint) as {{ term }}_output_count,
        coalesce(valued.{{ term }}_priced_base, 0) as {{ term }}_priced_base,
        valued.{{ term }}_realised_value_usd,
        coalesce(valued.{{ term }}_unpriced_value_usd, 0) as {{ term }}_unpriced_value_usd,
    {%- endfor %}
    coalesce(valued.calendar_coin_days_base, 0) as calendar_coin_days_base
from day_bands
left join valued
    on
        day_bands.chain = valued.chain
        and day_bands.block_date = valued.block_date
        and day_bands.age_band = valued.age_band
