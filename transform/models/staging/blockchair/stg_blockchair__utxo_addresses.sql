with

source as (

    {{ raw_utxo_tables('addresses') }}

),

renamed as (

    select
        -- ids
        chain,
        observed_at,
        address,

        -- amounts
        balance as balance_base,
        rank as balance_rank,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day

    from source

)

select * from renamed
