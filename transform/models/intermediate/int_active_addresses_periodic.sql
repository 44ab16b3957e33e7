{{
    config(
        materialized='changed_days',
        meta={'days_beside': true, 'periods': true, 'day_column': 'period_start_date'},
    )
}}
-- Addresses that paid or were paid in a week or month, each once. Only where each of its days has them all: so a period
-- is counted when it is over, and not each time that its newest day grows.
with

whole_periods as (

    select
        chain,
        period_kind,
        period_start_date
    from {{ ref('int_period_marks') }}
    where has_all_addresses and {{ in_changed_days('period_start_date') }}

),

-- a changed period is known by its first day
address_days as (

    select
        chain,
        block_date,
        address_key,
        has_paid,
        was_paid
    from {{ ref('int_address_days') }}
    where not is_synthetic and (has_paid or was_paid) and {{ in_changed_days('block_date', after=30) }}

),

addresses as (

    select
        whole_periods.chain,
        whole_periods.period_kind,
        whole_periods.period_start_date,
        address_days.address_key,
        bool_or(address_days.has_paid) as has_paid,
        bool_or(address_days.was_paid) as was_paid
    from address_days
    cross join lateral (values ('week'), ('month')) as kinds (period_kind)
    inner join whole_periods
        on
            address_days.chain = whole_periods.chain
            and kinds.period_kind = whole_periods.period_kind
            and cast(date_trunc(kinds.period_kind, address_days.block_date) as date) = whole_periods.period_start_date
    group by whole_periods.chain, whole_periods.period_kind, whole_periods.period_start_date, address_days.address_key

)

select
    chain,
    period_kind,
    period_start_date,
    count(*) as active_address_count,
    count(*) filter (where has_paid) as paying_address_count,
    count(*) filter (where was_paid) as paid_address_count
from addresses
group by chain, period_kind, period_start_date
