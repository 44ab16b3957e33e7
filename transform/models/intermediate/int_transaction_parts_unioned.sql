-- What a transaction's parts say of it: its outputs and inputs, or on Ethereum its calls.
select
    chain,
    block_date,
    block_height,
    transaction_key,
    output_count,
    input_count,
    self_churn_base,
    cast(null as text) as created_contract_address
from {{ ref('int_transaction_transfers') }}

union all

select
    chain,
    block_date,
    block_height,
    {{ surrogate_key(['chain', 'block_height', 'transaction_hash']) }} as transaction_key,
    cast(null as integer) as output_count,
    cast(null as integer) as input_count,
    cast(null as numeric) as self_churn_base,
    created_contract_address
from {{ ref('int_created_contracts') }}
