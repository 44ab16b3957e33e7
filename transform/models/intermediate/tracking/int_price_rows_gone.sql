-- The most rows of a date that were ever seen, against those that are there.
with

dates as (

    select
        table_name,
        coin_id,
        vs_currency,
        granularity,
        stamp_date,
        max(row_count) as seen_rows,
        (array_agg(row_count order by change_id desc))[1] as held_rows
    from {{ ref('int_price_rows_seen') }}
    where not cast('{{ var("unwatched_tables") | tojson }}' as jsonb) ? table_name
    group by table_name, coin_id, vs_currency, granularity, stamp_date

)

select
    table_name,
    coin_id,
    vs_currency,
    granularity,
    sum(seen_rows - held_rows) as missing_rows,
    min(stamp_date) as first_date,
    array_to_string((array_agg(stamp_date order by stamp_date))[1:10], ', ')
    || case when count(*) > 10 then ' and ' || count(*) - 10 || ' more dates' else '' end as dates
from dates
where held_rows < seen_rows
group by table_name, coin_id, vs_currency, granularity
