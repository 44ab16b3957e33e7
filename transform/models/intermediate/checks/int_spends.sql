-- Where value was spent, with the key of the output (int_outpoints): inputs before it that spend the same output are looked
-- up by it. A key of which a part is missing is null, and meets none. The first index is for that, the second for the
-- days that are checked, or deleted; rows lie by day.
{{
    config(
        materialized='changed_days',
        meta={'recheck': true},
        indexes=[{'columns': ['created_block_height', 'outpoint_key']}, {'columns': ['block_date'], 'type': 'brin'}],
    )
}}
select
    {{ known_key(['chain', 'created_block_height', 'created_transaction_hash', 'created_output_index']) }} as outpoint_key,
    {{ known_key(['spending_block_height', 'spending_transaction_hash', 'spending_input_index']) }} as spend_key,
    {{ known_key(['recipient', 'script_hex']) }} as recipient_key,
    spending_block_height as block_height,
    created_block_height,
    {{ utc_date('spending_time') }} as block_date,
    {{ utc_date('created_time') }} as created_date,
    chain,
    value_base
from {{ ref('stg_blockchair__utxo_inputs') }}
where {{ in_changed_days('spending_time') }}
