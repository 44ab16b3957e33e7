-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

combinations as (

    select distinct
        transaction_type,
        is_coinbase,
        is_synthetic,
        is_failed,
        has_witness
    from {{ ref('int_transaction_flags_daily') }}

)

select
    {{ surrogate_key(['transaction_type', 'is_coinbase', 'is_synthetic', 'is_failed', 'has_witness']) }} as transaction_flags_key,
    coalesce(transaction_type, 'unknown') as transaction_type,
    is_coinbase,
    is_synthetic,
    is_failed,
    not is_coinbase and not is_synthetic as is_user_transaction,
    has_witness
from combinations

union all

select
    -1 as transaction_flags_key,
    'unknown' as transaction_type,
    null as is_coinbase,
    null as is_synthetic,
    null as is_failed,
    null as is_user_transaction,
    null as has_witness
