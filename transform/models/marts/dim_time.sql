-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

minutes as (

    select
        minute_of_day,
        minute_of_day / 60 as hour_number,
        minute_of_day % 60 as minute_number
    from generate_series(0, 1439) as minutes (minute_of_day)

    union all

    select
        null as minute_of_day,
        null as hour_number,
        null as minute_number

)

select
    coalesce(hour_number * 100 + minute_number, -1) as time_key,
    make_time(hour_number, minute_number, 0) as time_of_day,
    minute_of_day,
    hour_number,
    minute_number,
    case
        when hour_number < 6 then '00:00 to 05:59'
        when hour_number < 12 then '06:00 to 11:59'
        when hour_number < 18 then '12:00 to 17:59'
        when hour_number < 24 then '18:00 to 23:59'
        else 'unknown'
    end as time_band
from minutes
