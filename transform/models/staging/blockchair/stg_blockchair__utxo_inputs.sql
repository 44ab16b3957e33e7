with

source as (

    {{ raw_utxo_tables('inputs') }}

),

renamed as (

    select
        -- ids
        chain,
        spending_block_id as spending_block_height,
        spending_transaction_hash,
        spending_index as spending_input_index,

        -- the output that is spent
        block_id as created_block_height,
        transaction_hash as created_transaction_hash,
        index as created_output_index,

        -- times
        time as created_time,
        spending_time,
        lifespan as lifespan_seconds,

        -- amounts
        value as value_base,
        cdd as coin_days_destroyed,

        -- source's own USD
        value_usd as value_usd_source,
        spending_value_usd as spending_value_usd_source,

        -- recipient
        recipient,
        type as script_type,
        script_hex,

        -- unlocking
        spending_sequence,
        spending_signature_hex,
        spending_witness,

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
