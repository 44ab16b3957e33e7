with

source as (

    {{ raw_table('blockchair', 'ethereum_blocks') }}

),

renamed as (

    select
        -- ids
        id as block_height,
        hash as block_hash,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- header
        difficulty,
        total_difficulty,
        nonce,
        mix_hash,
        extra_data_hex,
        logs_bloom,
        receipts_root,
        sha3_uncles,
        state_root,
        transactions_root,

        -- sizes and counts
        size as size_bytes,
        uncle_count,
        transaction_count,
        synthetic_transaction_count,
        call_count,
        synthetic_call_count,

        -- gas
        gas_used,
        gas_limit,
        base_fee_per_gas as base_fee_base,

        -- amounts
        value_total as value_total_base,
        internal_value_total as internal_value_total_base,
        generation as generation_base,
        uncle_generation as uncle_generation_base,
        fee_total as fee_total_base,
        burned_total as burned_total_base,
        reward as reward_base,

        -- source's own USD
        value_total_usd as value_total_usd_source,
        internal_value_total_usd as internal_value_total_usd_source,
        generation_usd as generation_usd_source,
        uncle_generation_usd as uncle_generation_usd_source,
        fee_total_usd as fee_total_usd_source,
        reward_usd as reward_usd_source,

        -- miner
        miner as miner_address,

        -- flags
        is_settled,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day,
        _load_id

    from source

)

select * from renamed
