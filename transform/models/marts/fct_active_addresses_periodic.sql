{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'cumulative': true, 'days_beside': true, 'periods': true, 'day_column': 'period_start_date'},
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- Cumulative: a day that comes late, or goes, makes addresses of later periods old or new.
with

period_marks as (

    select
        chain,
        period_kind,
        period_start_date,
        period_end_date,
        loaded_day_count,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        has_all_addresses,
        has_whole_history
    from {{ ref('int_period_marks') }}
    where {{ in_changed_days('period_start_date') }}

),

active_addresses as (

    select
        chain,
        period_kind,
        period_start_date,
        active_address_count,
        paying_address_count,
        paid_address_count
    from {{ ref('int_active_addresses_periodic') }}
    where {{ in_changed_days('period_start_date') }}

),

-- what names an address of these chains makes it active, and it is new on one day: so those of the days add up
utxo_new_days as (

    select
        chain,
        block_date,
        new_address_count
    from {{ ref('fct_new_addresses_daily') }}
    where not is_synthetic and chain <> 'ethereum' and {{ in_changed_days('block_date', after=30) }}

),

-- nothing is read where no period is whole, as when the newest day alone grows
ethereum_span as (

    select
        min(period_start_date) as first_date,
        max(period_end_date) as last_date
    from period_marks
    where chain = 'ethereum' and has_all_addresses

),

-- on Ethereum a call or a failed transaction may name an address before it is active, or one that never is
ethereum_new_addresses as (

    select
        address_key,
        first_seen_date
    from {{ ref('dim_address') }}
    where
        chain = 'ethereum'
        and first_seen_date >= (select ethereum_span.first_date from ethereum_span)
        and first_seen_date <= (select ethereum_span.last_date from ethereum_span)

),

ethereum_active_days as (

    select
        block_date,
        address_key
    from {{ ref('int_address_days') }}
    where
        chain = 'ethereum'
        and (has_paid or was_paid)
        and block_date >= (select ethereum_span.first_date from ethereum_span)
        and block_date <= (select ethereum_span.last_date from ethereum_span)

),

new_active_addresses as (

    select
        period_marks.chain,
        period_marks.period_kind,
        period_marks.period_start_date,
        cast(sum(utxo_new_days.new_address_count) as bigint) as new_active_address_count
    from utxo_new_days
    cross join lateral (values ('week'), ('month')) as kinds (period_kind)
    inner join period_marks
        on
            utxo_new_days.chain = period_marks.chain
            and kinds.period_kind = period_marks.period_kind
            and cast(date_trunc(kinds.period_kind, utxo_new_days.block_date) as date) = period_marks.period_start_date
    where period_marks.has_all_addresses
    group by period_marks.chain, period_marks.period_kind, period_marks.period_start_date

    union all

    select
        period_marks.chain,
        period_marks.period_kind,
        period_marks.period_start_date,
        count(distinct ethereum_active_days.address_key) as new_active_address_count
    from ethereum_active_days
    inner join ethereum_new_addresses on ethereum_active_days.address_key = ethereum_new_addresses.address_key
    cross join lateral (values ('week'), ('month')) as kinds (period_kind)
    inner join period_marks
        on
            kinds.period_kind = period_marks.period_kind
            and cast(date_trunc(kinds.period_kind, ethereum_active_days.block_date) as date) = period_marks.period_start_date
            and ethereum_new_addresses.first_seen_date >= period_marks.period_start_date
    where period_marks.chain = 'ethereum' and period_marks.has_all_addresses
    group by period_marks.chain, period_marks.period_kind, period_marks.period_start_date

),

counted_periods as (

    select
        period_marks.chain,
        period_marks.period_kind,
        period_marks.period_start_date,
        -- of a period that is all there and names none there are none
        case when period_marks.has_all_addresses then coalesce(active_addresses.active_address_count, 0) end as active_address_count,
        case when period_marks.has_all_addresses then coalesce(active_addresses.paying_address_count, 0) end as paying_address_count,
        case when period_marks.has_all_addresses then coalesce(active_addresses.paid_address_count, 0) end as paid_address_count,
        case when period_marks.has_all_addresses then coalesce(new_active_addresses.new_active_address_count, 0) end
            as new_active_address_count
    from period_marks
    left join active_addresses
        on
            period_marks.chain = active_addresses.chain
            and period_marks.period_kind = active_addresses.period_kind
            and period_marks.period_start_date = active_addresses.period_start_date
    left join new_active_addresses
        on
            period_marks.chain = new_active_addresses.chain
            and period_marks.period_kind = new_active_addresses.period_kind
            and period_marks.period_start_date = new_active_addresses.period_start_date

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['period_marks.chain', 'period_marks.period_kind', 'period_marks.period_start_date']) }} as active_addresses_key,
    coalesce(assets.asset_key, -1) as asset_key,
    -- the calendar begins with Bitcoin's first block, within its week and month
    {{ date_key("greatest(period_marks.period_start_date, date '2009-01-03')") }} as date_key,
    period_marks.chain,
    period_marks.period_kind,
    period_marks.period_start_date,
    period_marks.period_end_date,
    period_marks.loaded_day_count,
    counted_periods.active_address_count,
    counted_periods.paying_address_count,
    counted_periods.paid_address_count,
    counted_periods.new_active_address_count,
    counted_periods.active_address_count - counted_periods.new_active_address_count as returning_address_count,
    not period_marks.has_all_outputs as is_address_count_partial,
    -- a chain's first week or month may begin before its first block
    not period_marks.has_all_outputs or not period_marks.has_whole_history as is_new_address_count_partial,
    period_marks.is_complete as is_final,
    period_marks.has_all_blocks,
    period_marks.has_all_transactions,
    period_marks.has_all_outputs
from period_marks
inner join counted_periods
    on
        period_marks.chain = counted_periods.chain
        and period_marks.period_kind = counted_periods.period_kind
        and period_marks.period_start_date = counted_periods.period_start_date
left join assets on period_marks.chain = assets.chain
