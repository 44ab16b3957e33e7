-- The deepest fall of each window, by putting windows together: in one that consists of an older and a newer part, the
-- deepest fall lies in the older, or in the newer, or leads from the older's high to the newer's low. To look at each
-- pair of days in each window would be the square of the work.
{% set joins = [(1, 1), (2, 2), (4, 1), (5, 5), (10, 5), (15, 15), (30, 30), (60, 30), (90, 90), (180, 180), (360, 5)] %}
{% set spans = [1] %}
with

span_1 as (

    select
        coin_id,
        close_date,
        cast(close_price as numeric(38, 22)) as high_1,
        cast(close_price as numeric(38, 22)) as low_1,
        cast(0 as numeric) as fall_1
    from {{ ref('int_market_closes') }}
    where vs_currency = 'usd' and close_price > 0

),

{% for newer, older in joins %}
    {% set span = newer + older %}
    span_{{ span }} as (

        select
            coin_id,
            close_date,
            {% for known in spans %}
                high_{{ known }},
                low_{{ known }},
                fall_{{ known }},
            {% endfor %}
            greatest(high_{{ newer }}, lag(high_{{ older }}, {{ newer }}) over by_day) as high_{{ span }},
            least(low_{{ newer }}, lag(low_{{ older }}, {{ newer }}) over by_day) as low_{{ span }},
            least(
                fall_{{ newer }},
                lag(fall_{{ older }}, {{ newer }}) over by_day,
                {{ quotient(
                    'low_' ~ newer ~ ' - lag(high_' ~ older ~ ', ' ~ newer ~ ') over by_day',
                    'lag(high_' ~ older ~ ', ' ~ newer ~ ') over by_day', 18
                ) | indent(12) }}
            ) as fall_{{ span }}
        from span_{{ spans[-1] }}
        window by_day as (partition by coin_id order by close_date)

    ),

    {% do spans.append(span) %}
{% endfor %}
-- rows are days only where none is missing
complete as (

    {% for window_days in [30, 60, 90, 180, 365] %}
        select
            coin_id,
            close_date,
            {{ window_days }} as window_days,
            fall_{{ window_days }} as max_drawdown_ratio,
            lag(close_date, {{ window_days - 1 }}) over (partition by coin_id order by close_date)
            = close_date - {{ window_days - 1 }} as is_complete
        from span_{{ spans[-1] }}
        {{ "union all" if not loop.last }}
    {% endfor %}

)

select
    coin_id,
    close_date,
    window_days,
    max_drawdown_ratio
from complete
where is_complete
