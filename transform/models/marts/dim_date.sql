-- depends_on: {{ ref('int_integrity_failures') }}
with

newest as (

    -- every day that a load touched is in the log, which is shorter to read than transactions
    select max(block_date) as newest_date from {{ ref('int_changed_days') }}
    union all
    select max(block_date) as newest_date from {{ ref('int_blocks_unioned') }}
    union all
    select max(close_date) as newest_date from {{ ref('int_market_closes') }}

),

horizon as (

    select
        greatest(
            cast('{{ var("date_horizon") }}' as date),
            cast(date_trunc('year', max(newest_date)) + interval '2 years' as date) - 1
        ) as last_date
    from newest

),

-- Bitcoin's first block is the oldest row there can be
days as (

    select cast(generate_series(timestamp '2009-01-03', cast(horizon.last_date as timestamp), interval '1 day') as date) as date_day
    from horizon

    union all

    select null as date_day

)

select
    {{ date_key('date_day') }} as date_key,
    date_day,
    cast(extract(year from date_day) as integer) as year_number,
    cast(extract(quarter from date_day) as integer) as quarter_number,
    cast(extract(month from date_day) as integer) as month_number,
    to_char(date_day, 'FMMonth') as month_name,
    cast(extract(day from date_day) as integer) as day_of_month,
    cast(extract(doy from date_day) as integer) as day_of_year,
    cast(extract(isoyear from date_day) as integer) as iso_year,
    cast(extract(week from date_day) as integer) as iso_week,
    cast(extract(isodow from date_day) as integer) as iso_day_of_week,
    to_char(date_day, 'FMDay') as day_name,
    extract(isodow from date_day) >= 6 as is_weekend,
    cast(date_trunc('week', date_day) as date) as week_start_date,
    cast(date_trunc('month', date_day) as date) as month_start_date,
    cast(date_trunc('quarter', date_day) as date) as quarter_start_date,
    cast(date_trunc('year', date_day) as date) as year_start_date
from days
