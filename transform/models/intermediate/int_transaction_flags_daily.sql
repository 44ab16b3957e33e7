{{ config(materialized='changed_days') }}

select
    chain,
    block_date,
    transaction_type,
    is_coinbase,
    is_synthetic,
    is_failed,
    has_witness,
    count(*) as transaction_row_count
from {{ ref('int_transactions_unioned') }}
where {{ in_changed_days('block_time') }}
group by chain, block_date, transaction_type, is_coinbase, is_synthetic, is_failed, has_witness
