{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'cumulative': true, 'days_beside': true},
        indexes=[{'columns': ['chain', 'block_date']}],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- Cumulative: a day that comes late, or goes, makes addresses of the days after it old or new, and of none before it.
with

addresses as (

    select
        chain,
        first_seen_date as block_date,
        coalesce(script_type, 'unknown') as script_type,
        is_synthetic
    from {{ ref('dim_address') }}
    where first_seen_date is not null and {{ in_changed_days('first_seen_date') }}

),

counted as (

    select
        chain,
        block_date,
        script_type,
        is_synthetic,
        count(*) as new_address_count
    from addresses
    group by chain, block_date, script_type, is_synthetic

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks
    from {{ ref('int_day_marks') }}
    where {{ in_changed_days('marked_date') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['counted.chain', 'counted.block_date', 'counted.script_type', 'counted.is_synthetic']) }} as new_addresses_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('counted.block_date') }} as date_key,
    counted.chain,
    counted.block_date,
    counted.script_type,
    counted.is_synthetic,
    counted.new_address_count,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks
from counted
left join day_marks on counted.chain = day_marks.chain and counted.block_date = day_marks.marked_date
left join assets on counted.chain = assets.chain
