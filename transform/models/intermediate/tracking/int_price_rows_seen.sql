{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
        pre_hook=["{{ one_at_a_time() }}", "create sequence if not exists {{ this.schema }}.change_id"],
    )
}}
-- CoinGecko may lack a day, so that a row which is gone differs from one that never came only by having been seen.
with

stamped as (

    select
        'coingecko_market_chart' as table_name,
        coin_id,
        vs_currency,
        granularity,
        {{ utc_date('stamped_at') }} as stamp_date,
        -- also of the points of a close that do not count
        case granularity when 'daily' then stamps_in_date else 1 end as row_count
    from {{ ref('stg_coingecko__market_chart') }}

    union all

    select
        'coingecko_ohlc' as table_name,
        coin_id,
        vs_currency,
        granularity,
        {{ utc_date('closed_at') }} as stamp_date,
        1 as row_count
    from {{ ref('stg_coingecko__ohlc') }}

),

held as (

    select
        table_name,
        coin_id,
        vs_currency,
        granularity,
        stamp_date,
        cast(sum(row_count) as bigint) as row_count
    from stamped
    group by table_name, coin_id, vs_currency, granularity, stamp_date

),

known as (

    select distinct on (table_name, coin_id, vs_currency, granularity, stamp_date)
        table_name,
        coin_id,
        vs_currency,
        granularity,
        stamp_date,
        row_count
    from {{ rows_so_far() if adds_rows() else "(select *, 0 as change_id from held where false) as earlier" }}
    order by table_name asc, coin_id asc, vs_currency asc, granularity asc, stamp_date asc, change_id desc

)

select
    coalesce(held.table_name, known.table_name) as table_name,
    coalesce(held.coin_id, known.coin_id) as coin_id,
    coalesce(held.vs_currency, known.vs_currency) as vs_currency,
    coalesce(held.granularity, known.granularity) as granularity,
    coalesce(held.stamp_date, known.stamp_date) as stamp_date,
    coalesce(held.row_count, 0) as row_count,
    {{ next_change_id() }} as change_id
from held
full join known
    on
        held.table_name = known.table_name
        and held.coin_id = known.coin_id
        and held.vs_currency = known.vs_currency
        and held.granularity = known.granularity
        and held.stamp_date = known.stamp_date
where coalesce(held.row_count, 0) <> coalesce(known.row_count, 0)
