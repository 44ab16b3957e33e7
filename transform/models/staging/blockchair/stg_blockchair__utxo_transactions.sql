with

source as (

    {{ raw_utxo_tables('transactions') }}

),

renamed as (

    select
        -- ids
        chain,
        block_id as block_height,
        hash as transaction_hash,

        -- times
        time as block_time,
        {{ utc_date('time') }} as block_date,

        -- sizes and counts
        size as size_bytes,
        weight as weight_wu,
        input_count,
        output_count,

        -- envelope
        version,
        lock_time,

        -- amounts
        input_total as input_total_base,
        output_total as output_total_base,
        fee as fee_base,
        fee_per_kb as fee_per_kb_base,
        fee_per_kwu as fee_per_kwu_base,
        cdd_total as coin_days_destroyed,

        -- source's own USD
        input_total_usd as input_total_usd_source,
        output_total_usd as output_total_usd_source,
        fee_usd as fee_usd_source,
        fee_per_kb_usd as fee_per_kb_usd_source,
        fee_per_kwu_usd as fee_per_kwu_usd_source,

        -- flags
        is_coinbase,
        has_witness,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day,
        _load_id

    from source

)

select * from renamed
