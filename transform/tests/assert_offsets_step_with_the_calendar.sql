-- Each offset is 0 on the newest day and steps up by one where its period begins, and nowhere else.
with

days as (

    select
        date_day,
        day_offset,
        week_offset - lag(week_offset) over by_day as week_step,
        month_offset - lag(month_offset) over by_day as month_step,
        quarter_offset - lag(quarter_offset) over by_day as quarter_step,
        year_offset - lag(year_offset) over by_day as year_step,
        day_offset - lag(day_offset) over by_day as day_step,
        day_offset = 0 and (week_offset, month_offset, quarter_offset, year_offset) <> (0, 0, 0, 0) as is_wrong_at_newest,
        case when iso_day_of_week = 1 then 1 else 0 end as week_begins,
        case when day_of_month = 1 then 1 else 0 end as month_begins,
        case when date_day = quarter_start_date then 1 else 0 end as quarter_begins,
        case when day_of_year = 1 then 1 else 0 end as year_begins
    from {{ ref('dim_date') }}
    where date_day is not null
    window by_day as (order by date_day)

)

select
    date_day,
    day_offset,
    week_step,
    month_step,
    quarter_step,
    year_step
from days
where
    is_wrong_at_newest
    or (day_step, week_step, month_step, quarter_step, year_step)
    <> (1, week_begins, month_begins, quarter_begins, year_begins)
