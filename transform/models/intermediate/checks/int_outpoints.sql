-- Where value was created and where it was spent, by a key that both have: what inputs of any day are looked up in. A key of
-- which a part is missing is null, and meets none. The index begins with the height, so that the rows of a new day lie
-- together in it: keys alone, which are hashes, would each land on another page.
{{
    config(
        materialized='changed_days',
        meta={'recheck': true},
        indexes=[{'columns': ['created_block_height', 'outpoint_key']}, {'columns': ['block_date']}],
    )
}}
-- the height is part of the key, since two pairs of Bitcoin's coinbases have the same hash; columns of eight bytes come
-- first, so that none is padded
select
    {{ known_key(['chain', 'block_height', 'transaction_hash', 'output_index']) }} as outpoint_key,
    cast(null as bigint) as spend_key,
    {{ known_key(['recipient', 'script_hex']) }} as recipient_key,
    block_height,
    block_height as created_block_height,
    block_date,
    block_date as created_date,
    false as is_spend,
    coalesce(_channel in ('dumps', 'mirror'), false) as is_from_dump,
    chain,
    value_base,
    cast(null as text) as transaction_hash
from {{ ref('stg_blockchair__utxo_outputs') }}
where {{ in_changed_days('block_time') }}

union all

select
    {{ known_key(['chain', 'created_block_height', 'created_transaction_hash', 'created_output_index']) }} as outpoint_key,
    {{ known_key(['spending_block_height', 'spending_transaction_hash', 'spending_input_index']) }} as spend_key,
    {{ known_key(['recipient', 'script_hex']) }} as recipient_key,
    spending_block_height as block_height,
    created_block_height,
    {{ utc_date('spending_time') }} as block_date,
    {{ utc_date('created_time') }} as created_date,
    true as is_spend,
    coalesce(_channel in ('dumps', 'mirror'), false) as is_from_dump,
    chain,
    value_base,
    spending_transaction_hash as transaction_hash
from {{ ref('stg_blockchair__utxo_inputs') }}
where {{ in_changed_days('spending_time') }}
