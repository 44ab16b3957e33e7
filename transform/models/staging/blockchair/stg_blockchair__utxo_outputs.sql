with

source as (

    {{ raw_utxo_tables('outputs') }}

),

renamed as (

    select
        -- ids
        chain,
        block_id as block_height,
        transaction_hash,
        index as output_index,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- amounts
        value as value_base,

        -- source's own USD
        value_usd as value_usd_source,

        -- recipient
        recipient,
        type as script_type,
        script_hex,

        -- flags
        is_from_coinbase,
        case is_spendable when 1 then true when 0 then false end as is_spendable,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day,
        _load_id

    from source

)

select * from renamed
