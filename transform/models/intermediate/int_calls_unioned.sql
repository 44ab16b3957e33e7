-- Ethereum alone has calls; in the form of the other united tables, so that what counts these counts calls too.
select
    'ethereum' as chain,
    block_height,
    -- a synthetic row has no hash; its place in the dump is the only thing that distinguishes it from the next
    coalesce(transaction_hash, _unit || '#' || _line) as transaction_reference,
    transaction_hash,
    call_index,
    call_depth,
    block_time,
    block_date,
    call_type,
    sender_address,
    recipient_address,
    child_call_count,
    value_base,
    coalesce(is_failed, false) as is_failed,
    fail_reason,
    is_transferred,
    is_synthetic,
    _channel as channel,
    _load_id as load_id
from {{ ref('stg_blockchair__ethereum_calls') }}
