with

source as (

    {{ raw_table('blockchair', 'ethereum_calls') }}

),

renamed as (

    select
        -- ids
        block_id as block_height,
        transaction_hash,
        index as call_index,
        depth as call_depth,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- parties
        type as call_type,
        sender as sender_address,
        recipient as recipient_address,
        child_call_count,
        input_hex,
        output_hex,

        -- amounts
        value as value_base,

        -- source's own USD
        value_usd as value_usd_source,

        -- flags
        failed as is_failed,
        fail_reason,
        transferred as is_transferred,
        type = 'synthetic_coinbase' as is_synthetic,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day,
        _load_id

    from source

)

select * from renamed
