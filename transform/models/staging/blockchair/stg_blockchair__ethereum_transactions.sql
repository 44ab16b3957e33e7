with

source as (

    {{ raw_table('blockchair', 'ethereum_transactions') }}

),

renamed as (

    select
        -- ids
        block_id as block_height,
        index as transaction_index,
        hash as transaction_hash,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- parties
        type as transaction_type,
        sender as sender_address,
        recipient as recipient_address,
        call_count,
        input_hex,

        -- gas
        gas_used,
        gas_limit,
        gas_price as gas_price_base,

        -- amounts
        value as value_base,
        internal_value as internal_value_base,
        fee as fee_base,

        -- source's own USD
        value_usd as value_usd_source,
        internal_value_usd as internal_value_usd_source,
        fee_usd as fee_usd_source,

        -- signature
        nonce,
        v as signature_v,
        r as signature_r,
        s as signature_s,

        -- flags
        failed as is_failed,
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
