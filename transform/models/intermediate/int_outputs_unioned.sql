-- Nobody can spend what the first block made: its coinbase is not in the set of outputs that may be spent. Nor the two
-- coinbases of Bitcoin that a later one of the same hash has replaced (BIP 30).
select
    chain,
    block_height,
    transaction_hash,
    output_index,
    block_time,
    block_date,
    value_base,
    recipient,
    -- an id that Blockchair makes up for a script without an address has a dash, which no address has
    recipient is not null and strpos(recipient, '-') = 0 as is_address,
    script_type,
    is_from_coinbase,
    case when {{ is_replaced_coinbase('chain') }} then false else is_spendable end as is_spendable,
    -- a script that only carries data pays nobody
    coalesce(script_type = 'nulldata', false) as is_data,
    _load_id as load_id
from {{ ref('stg_blockchair__utxo_outputs') }}
