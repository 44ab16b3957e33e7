with

source as (

    {{ raw_table('blockchair', 'ethereum_stats') }}

),

renamed as (

    select
        -- ids
        observed_at,

        -- chain
        blocks as block_count,
        uncles as uncle_count,
        transactions as transaction_count_with_synthetic,
        calls as call_count,
        circulation_approximate as circulation_approximate_base,
        difficulty,
        hashrate_24h,
        blockchain_size as blockchain_size_bytes,
        burned as burned_base,
        layer_2,
        countdowns,

        -- tip
        best_block_height,
        best_block_hash,
        best_block_time,

        -- last 24 hours
        blocks_24h as block_count_24h,
        uncles_24h as uncle_count_24h,
        transactions_24h as transaction_count_24h,
        volume_24h_approximate as volume_24h_approximate_base,
        burned_24h as burned_24h_base,
        inflation_24h as inflation_24h_native,
        average_transaction_fee_24h as average_transaction_fee_24h_base,
        median_transaction_fee_24h as median_transaction_fee_24h_base,
        average_simple_transaction_fee_24h as average_simple_transaction_fee_24h_base,
        median_simple_transaction_fee_24h as median_simple_transaction_fee_24h_base,
        largest_transaction_24h,

        -- mempool
        mempool_transactions as mempool_transaction_count,
        mempool_median_gas_price as mempool_median_gas_price_base,
        mempool_tps as mempool_transactions_per_second,
        mempool_total_value_approximate as mempool_total_value_approximate_base,
        suggested_transaction_fee_gwei_options as suggested_fee_gwei_options,

        -- source's own USD
        inflation_usd_24h as inflation_usd_24h_source,
        average_transaction_fee_usd_24h as average_transaction_fee_usd_24h_source,
        median_transaction_fee_usd_24h as median_transaction_fee_usd_24h_source,
        average_simple_transaction_fee_usd_24h as average_simple_transaction_fee_usd_24h_source,
        median_simple_transaction_fee_usd_24h as median_simple_transaction_fee_usd_24h_source,
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
