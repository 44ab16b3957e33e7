-- Where value was created, by the key of the output, in which inputs of any day are looked up (int_spends). A key of which a
-- part is missing is null, and meets none. The index begins with the height, so that the rows of a new day lie together in it:
-- keys alone, which are hashes, would each land on another page. The one by day tells whether a day that is spent from is loaded.
{{
    config(
        materialized='changed_days',
        meta={'recheck': true},
        indexes=[{'columns': ['block_height', 'outpoint_key']}, {'columns': ['block_date']}],
    )
}}
-- the height is part of the key, since two pairs of Bitcoin's coinbases have the same hash; wide columns come first, so that
-- none is padded
select
    {{ known_key(['chain', 'block_height', 'transaction_hash', 'output_index']) }} as outpoint_key,
    {{ known_key(['recipient', 'script_hex']) }} as recipient_key,
    block_height,
    block_date,
    coalesce(_channel in ('dumps', 'mirror'), false) as is_from_dump,
    chain,
    value_base
from {{ ref('stg_blockchair__utxo_outputs') }}
where {{ in_changed_days('block_time') }}
