{{ config(materialized='changed_days') }}
-- What Ethereum's transactions created themselves: the top of a transaction's calls is its own.
select
    chain,
    block_date,
    block_height,
    transaction_hash,
    recipient_address as created_contract_address
from {{ ref('int_calls_unioned') }}
where call_type = 'create' and call_index = '0' and not is_failed and {{ in_changed_days('block_time') }}
