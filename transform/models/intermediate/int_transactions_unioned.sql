select
    'bitcoin' as chain,
    block_height,
    transaction_hash as transaction_reference,
    transaction_hash,
    -- a dump lists a block's transactions in their order
    case when _line is not null then row_number() over (partition by block_height order by _line) - 1 end as transaction_index,
    block_time,
    block_date,
    case when is_coinbase then 'coinbase' else 'transfer' end as transaction_type,
    is_coinbase,
    false as is_synthetic,
    false as is_failed,
    size_bytes,
    weight_wu,
    input_count,
    output_count,
    cast(null as bigint) as gas_used,
    cast(null as numeric) as gas_price_base,
    input_total_base,
    output_total_base as value_base,
    cast(null as numeric) as internal_value_base,
    fee_base,
    coin_days_destroyed
from {{ ref('stg_blockchair__bitcoin_transactions') }}

union all

select
    'dogecoin' as chain,
    block_height,
    transaction_hash as transaction_reference,
    transaction_hash,
    case when _line is not null then row_number() over (partition by block_height order by _line) - 1 end as transaction_index,
    block_time,
    block_date,
    case when is_coinbase then 'coinbase' else 'transfer' end as transaction_type,
    is_coinbase,
    false as is_synthetic,
    false as is_failed,
    size_bytes,
    cast(null as bigint) as weight_wu,
    input_count,
    output_count,
    cast(null as bigint) as gas_used,
    cast(null as numeric) as gas_price_base,
    input_total_base,
    output_total_base as value_base,
    cast(null as numeric) as internal_value_base,
    fee_base,
    coin_days_destroyed
from {{ ref('stg_blockchair__dogecoin_transactions') }}

union all

select
    'ethereum' as chain,
    block_height,
    -- a synthetic row has no hash; its place in the dump is the only thing that tells it from the next
    coalesce(transaction_hash, _unit || '#' || _line) as transaction_reference,
    transaction_hash,
    transaction_index,
    block_time,
    block_date,
    transaction_type,
    false as is_coinbase,
    is_synthetic,
    coalesce(is_failed, false) as is_failed,
    cast(null as bigint) as size_bytes,
    cast(null as bigint) as weight_wu,
    cast(null as bigint) as input_count,
    cast(null as bigint) as output_count,
    gas_used,
    gas_price_base,
    cast(null as numeric) as input_total_base,
    value_base,
    internal_value_base,
    fee_base,
    cast(null as numeric) as coin_days_destroyed
from {{ ref('stg_blockchair__ethereum_transactions') }}
