-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

days as (

    select
        chain,
        block_date
    from {{ ref('int_supply_daily') }}
    where chain <> 'ethereum'

),

bands as (

    select
        age_band,
        band_order
    from {{ ref('age_bands') }}

),

spent_bands as (

    select
        chain,
        block_date,
        age_band,
        sum(spent_output_count) as spent_output_count,
        sum(spent_base) as spent_base,
        sum(priced_spent_base) as priced_spent_base,
        round(sum(spent_value_usd), 8) as spent_value_usd,
        round(sum(spent_cost_usd), 8) as spent_cost_usd
    from {{ ref('int_spent_ages_daily') }}
    group by chain, block_date, age_band

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_outputs,
        has_all_inputs,
        is_complete
    from {{ ref('int_day_marks') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }}),

joined as (

    select
        assets.asset_key,
        days.chain,
        days.block_date,
        bands.age_band,
        bands.band_order,
        coalesce(day_marks.is_complete, false) as is_complete,
        coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
        coalesce(day_marks.has_all_outputs, false) as has_all_outputs,
        {{ spent_sums('spent_bands') }}
    from days
    cross join bands
    left join spent_bands
        on
            days.chain = spent_bands.chain
            and days.block_date = spent_bands.block_date
            and bands.age_band = spent_bands.age_band
    left join day_marks on days.chain = day_marks.chain and days.block_date = day_marks.marked_date
    left join assets on days.chain = assets.chain

),

covered as (

    select
        asset_key,
        chain,
        block_date,
        age_band,
        band_order,
        is_complete,
        has_all_blocks,
        has_all_outputs,
        spent_output_count,
        spent_base,
        sum(spent_base) over (partition by chain, block_date) as spent_total_base,
        priced_spent_base,
        {{ spent_coverage() }}
    from joined

)

select
    {{ surrogate_key(['chain', 'block_date', 'age_band']) }} as spent_age_key,
    coalesce(asset_key, -1) as asset_key,
    {{ date_key('block_date') }} as date_key,
    {{ surrogate_key(['age_band']) }} as age_band_key,
    chain,
    block_date,
    age_band,
    band_order,
    cast(spent_output_count as bigint) as spent_output_count,
    spent_base,
    {{ quotient('spent_base', 'spent_total_base', 8) }} as spent_share,
    priced_spent_base,
    {{ spent_in_usd() }},
    spent_coverage_ratio,
    is_complete as is_final,
    has_all_blocks,
    has_all_outputs
from covered
