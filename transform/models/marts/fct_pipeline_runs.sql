-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

loads as (

    select
        load_id,
        run_id,
        table_name,
        unit,
        channel,
        file,
        sha256,
        rows_loaded,
        rows_deleted,
        loaded_at,
        {{ utc_date('loaded_at') }} as loaded_date,
        first_day,
        last_day
    from {{ ref('stg_loader__load_ledger') }}

),

placed as (

    select
        load_id,
        run_id,
        row_number() over (partition by run_id order by load_id) as run_load_number,
        table_name,
        unit,
        channel,
        file,
        sha256,
        rows_loaded,
        rows_deleted,
        loaded_at,
        loaded_date,
        first_day,
        last_day,
        -- a slice replaces itself; rows of none are merged, so their loads all stand
        unit is null or lead(load_id) over (partition by table_name, unit order by load_id) is null as is_latest
    from loads

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain', where='chain is not null') }})

select
    placed.load_id as pipeline_run_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('placed.loaded_date') }} as date_key,
    coalesce(cast(to_char(placed.loaded_at at time zone 'UTC', 'HH24MI') as integer), -1) as time_key,
    placed.run_id,
    placed.run_load_number,
    placed.table_name,
    assets.chain,
    placed.unit,
    placed.channel,
    placed.file,
    placed.sha256,
    placed.rows_loaded,
    placed.rows_deleted,
    placed.rows_loaded - placed.rows_deleted as rows_added,
    placed.loaded_at,
    placed.loaded_date,
    placed.first_day,
    placed.last_day,
    placed.last_day - placed.first_day + 1 as day_count,
    placed.is_latest
from placed
left join assets on starts_with(placed.table_name, assets.chain || '_')
