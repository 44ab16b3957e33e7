with

source as (

    {{ raw_utxo_tables('blocks') }}

),

renamed as (

    select
        -- ids
        chain,
        id as block_height,
        hash as block_hash,

        -- times
        time as block_time,
        median_time,
        {{ utc_date('time') }} as block_date,

        -- header
        version,
        version_hex,
        version_bits,
        merkle_root,
        nonce,
        bits,
        difficulty,
        chainwork,
        coinbase_data_hex,

        -- sizes and counts
        size as size_bytes,
        stripped_size as stripped_size_bytes,
        weight as weight_wu,
        transaction_count as transaction_count_with_coinbase,
        witness_count,
        input_count,
        output_count,

        -- amounts
        input_total as input_total_base,
        output_total as output_total_base,
        fee_total as fee_total_base,
        fee_per_kb as fee_per_kb_base,
        fee_per_kwu as fee_per_kwu_base,
        generation as generation_base,
        reward as reward_base,
        cdd_total as coin_days_destroyed,

        -- source's own USD
        input_total_usd as input_total_usd_source,
        output_total_usd as output_total_usd_source,
        fee_total_usd as fee_total_usd_source,
        fee_per_kb_usd as fee_per_kb_usd_source,
        fee_per_kwu_usd as fee_per_kwu_usd_source,
        generation_usd as generation_usd_source,
        reward_usd as reward_usd_source,

        -- miner
        guessed_miner,

        -- flags
        is_aux,
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
