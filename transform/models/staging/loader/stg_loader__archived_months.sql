with

source as (

    {{ raw_table('loader', 'archived_months') }}

),

renamed as (

    select
        -- ids
        table_name,
        chain,
        month,

        -- what became of the rows
        state,
        rows as archived_rows,

        -- times
        archived_at

    from source

)

select * from renamed
