with

source as (

    {{ raw_table('blockchair', 'ethereum_erc20_transactions') }}

),

renamed as (

    select
        -- ids
        block_id as block_height,
        transaction_hash,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- token
        token_address,
        token_name,
        token_symbol,
        token_decimals,

        -- parties
        sender as sender_address,
        recipient as recipient_address,

        -- amounts
        value as value_base,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day,
        _load_id

    from source

)

select * from renamed
