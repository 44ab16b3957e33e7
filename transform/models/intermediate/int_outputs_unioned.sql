{% for chain in ['bitcoin', 'dogecoin'] %}
    select
        '{{ chain }}' as chain,
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
        is_spendable,
        _load_id as load_id
    from {{ ref('stg_blockchair__' ~ chain ~ '_outputs') }}
    {{ "union all" if not loop.last }}
{% endfor %}
