-- The rows of a dump day against the ledger of loads. Height ranges of the API replace each other and have no such count.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
{% set tables = ['blocks', 'transactions', 'outputs', 'inputs', 'calls'] %}
with

chain_tables (chain, table_name) as (

    values
    {% for chain in chains() %}
        {% set is_last = loop.last %}
        {% for table in tables %}
            ('{{ chain.name }}', '{{ table_prefix(chain) }}_{{ table }}'){{ "," if not (is_last and loop.last) }}
        {% endfor %}
    {% endfor %}

),

loads as (

    select
        chain_tables.chain,
        ledger.table_name,
        ledger.load_id,
        ledger.unit,
        ledger.rows_loaded,
        ledger.rows_deleted,
        ledger.first_day,
        ledger.last_day,
        cast(substring(ledger.unit from '/(\d{4}-\d{2}-\d{2})$') as date) as block_date
    from {{ ref('stg_loader__load_ledger') }} as ledger
    inner join chain_tables on ledger.table_name = chain_tables.table_name
    where ledger.unit is not null

),

units as (

    select distinct on (table_name, block_date)
        chain,
        table_name,
        block_date,
        load_id,
        rows_loaded
    from loads
    where block_date is not null and {{ in_changed_days('block_date') }}
    order by table_name asc, block_date asc, load_id desc

),

raw_rows as (

    {% for table in tables %}
        select
            replace(chain, '-', '_') || '_{{ table }}' as table_name,
            block_date,
            load_id,
            count(*) as row_count
        from {{ ref('int_' ~ table ~ '_unioned') }}
        where {{ in_changed_days('block_time') }}
        group by chain, block_date, load_id
        {% if not loop.last %}

            union all

        {% endif %}
    {% endfor %}

),

measured as (

    select
        units.chain,
        units.table_name,
        units.block_date,
        units.rows_loaded,
        coalesce(sum(raw_rows.row_count) filter (where raw_rows.load_id = units.load_id), 0) as found_rows,
        coalesce(sum(raw_rows.row_count) filter (where raw_rows.load_id <> units.load_id), 0) as other_rows,
        coalesce(sum(raw_rows.row_count) filter (where raw_rows.load_id is null), 0) as unknown_rows,
        exists(
            select 1
            from loads
            where
                loads.table_name = units.table_name
                and loads.load_id > units.load_id
                and units.block_date between loads.first_day and loads.last_day
        ) as is_overlaid,
        -- a load that does not say its days may have replaced rows of any
        exists(
            select 1
            from loads
            where
                loads.table_name = units.table_name
                and loads.load_id > units.load_id
                and (loads.first_day is null or loads.last_day is null)
                and loads.rows_loaded + loads.rows_deleted > 0
        ) as may_be_overlaid
    from units
    left join raw_rows
        on
            units.table_name = raw_rows.table_name
            and units.block_date = raw_rows.block_date
    group by units.chain, units.table_name, units.block_date, units.rows_loaded, units.load_id

),

assessed as (

    select
        chain,
        block_date,
        case
            when rows_loaded is null then 'unverifiable: ' || table_name || ': the ledger does not say how many rows were loaded'
            when found_rows = rows_loaded and other_rows + unknown_rows = 0 then 'verified'
            when is_overlaid then 'unverifiable: ' || table_name || ': a later load has replaced rows of this day'
            when may_be_overlaid then 'unverifiable: ' || table_name || ': a later load does not say of which days it replaced rows'
            when found_rows + unknown_rows = rows_loaded and other_rows = 0
                then 'unverifiable: ' || table_name || ': _load_id of ' || unknown_rows || ' rows is missing'
            else
                'failed: ' || table_name || ': expected ' || rows_loaded || ' rows of the last load, found ' || found_rows
                || ' and ' || other_rows + unknown_rows || ' others'
        end as outcome
    from measured

)

select
    'unit_rows' as check_name,
    chain,
    cast(null as bigint) as block_height,
    block_date,
    {{ check_result('outcome') }} as result,
    {{ check_reason('outcome') }} as reason
from assessed
