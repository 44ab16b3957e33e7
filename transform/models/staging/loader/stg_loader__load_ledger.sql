with

source as (

    {{ raw_table('loader', 'load_ledger') }}

),

renamed as (

    select
        -- ids
        load_id,
        table_name,
        unit,
        run_id,

        -- where it came from
        channel,
        file,
        sha256,

        -- counts
        rows_loaded,
        rows_deleted,

        -- times
        loaded_at,
        first_day,
        last_day

    from source

)

select * from renamed
