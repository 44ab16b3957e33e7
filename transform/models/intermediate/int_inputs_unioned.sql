-- An input is of the day and block that spent the output; what created the output says so in its name.
select
    chain,
    spending_block_height as block_height,
    spending_transaction_hash as transaction_hash,
    spending_input_index as input_index,
    spending_time as block_time,
    {{ utc_date('spending_time') }} as block_date,
    created_block_height,
    created_transaction_hash,
    created_output_index,
    created_time,
    {{ utc_date('created_time') }} as created_date,
    value_base,
    lifespan_seconds,
    recipient,
    recipient is not null and strpos(recipient, '-') = 0 as is_address,
    script_type,
    is_from_coinbase,
    is_spendable,
    _load_id as load_id
from {{ ref('stg_blockchair__utxo_inputs') }}
