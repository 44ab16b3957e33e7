{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'cumulative': true, 'days_beside': true},
        indexes=[{'columns': ['chain', 'block_date']}],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- Cumulative, because what is unspent on a day depends on all days before it.
with

unspent as (

    select
        chain,
        block_date,
        script_type,
        output_size_band,
        output_count,
        value_base,
        dust_output_count,
        dust_base
    from {{ ref('int_unspent_outputs_daily') }}
    where {{ in_changed_days('block_date') }}

),

bands as (

    select
        output_size_band,
        band_order
    from {{ ref('output_size_bands') }}

),

limits as (

    select
        chain,
        script_type,
        dust_limit_base
    from {{ ref('dust_limits') }}

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_outputs,
        is_complete
    from {{ ref('int_day_marks') }}

),

supplies as (

    select
        chain,
        block_date,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['unspent.chain', 'unspent.block_date', 'unspent.script_type', 'unspent.output_size_band']) }} as unspent_outputs_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('unspent.block_date') }} as date_key,
    {{ surrogate_key(['unspent.output_size_band']) }} as output_size_band_key,
    unspent.chain,
    unspent.block_date,
    unspent.script_type,
    unspent.output_size_band,
    bands.band_order,
    unspent.output_count,
    unspent.value_base as counted_supply_base,
    limits.dust_limit_base,
    unspent.dust_output_count,
    unspent.dust_base,
    supplies.coverage_ratio,
    coalesce(supplies.is_partial, true) as is_partial,
    coalesce(day_marks.is_complete, false) as is_final,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
    coalesce(day_marks.has_all_outputs, false) as has_all_outputs
from unspent
inner join bands on unspent.output_size_band = bands.output_size_band
left join limits on unspent.chain = limits.chain and unspent.script_type = limits.script_type
left join day_marks on unspent.chain = day_marks.chain and unspent.block_date = day_marks.marked_date
left join supplies on unspent.chain = supplies.chain and unspent.block_date = supplies.block_date
left join assets on unspent.chain = assets.chain
