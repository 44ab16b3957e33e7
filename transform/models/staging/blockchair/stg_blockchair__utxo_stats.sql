with

source as (

    {{ raw_utxo_tables('stats') }}

),

renamed as (

    select
        -- ids
        chain,
        observed_at,

        -- chain
        blocks as block_count,
        transactions as transaction_count_with_coinbase,
        outputs as output_count,
        circulation as circulation_base,
        difficulty,
        hashrate_24h,
        blockchain_size as blockchain_size_bytes,
        nodes as node_count,
        hodling_addresses as hodling_address_count,

        -- tip
        best_block_height,
        best_block_hash,
        best_block_time,

        -- last 24 hours
        blocks_24h as block_count_24h,
        transactions_24h as transaction_count_24h,
        volume_24h as volume_24h_base,
        inflation_24h as inflation_24h_base,
        average_transaction_fee_24h as average_transaction_fee_24h_base,
        median_transaction_fee_24h as median_transaction_fee_24h_base,
        cdd_24h as coin_days_destroyed_24h,
        largest_transaction_24h,

        -- mempool
        mempool_transactions as mempool_transaction_count,
        mempool_outputs as mempool_output_count,
        mempool_size as mempool_size_bytes,
        mempool_tps as mempool_transactions_per_second,
        suggested_transaction_fee_per_byte_sat as suggested_fee_per_byte_base,

        -- retarget
        next_retarget_time_estimate,
        next_difficulty_estimate,
        countdowns,

        -- source's own USD
        mempool_total_fee_usd as mempool_total_fee_usd_source,
        inflation_usd_24h as inflation_usd_24h_source,
        average_transaction_fee_usd_24h as average_transaction_fee_usd_24h_source,
        median_transaction_fee_usd_24h as median_transaction_fee_usd_24h_source,
        market_price_usd as market_price_usd_source,
        market_cap_usd as market_cap_usd_source,

        -- market
        market_price_btc,
        market_price_usd_change_24h_percentage as market_price_change_24h_percent,
        market_dominance_percentage as market_dominance_percent,

        -- lineage
        _channel,
        _unit,
        _line,
        _dump_day

    from source

)

select * from renamed
