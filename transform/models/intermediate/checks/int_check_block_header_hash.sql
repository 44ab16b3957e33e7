-- No source column holds the parent's hash: it is the hash of the block one height below, where that block is loaded.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}

with

-- materialized here and below: each expression is read more than once, and shall be computed once
blocks as materialized (

    select
        chain,
        block_height,
        block_date,
        version,
        bits,
        cast(nonce as bigint) as nonce,
        cast(extract(epoch from block_time) as bigint) as header_time,
        block_hash is null or merkle_root is null as has_missing_hash,
        -- what is not 64 lower-case hex digits is null here
        case when block_hash ~ '^[0-9a-f]{64}$' then decode(block_hash, 'hex') end as block_hash,
        case when merkle_root ~ '^[0-9a-f]{64}$' then decode(merkle_root, 'hex') end as merkle_root
    from {{ ref('int_blocks_unioned') }}
    where {{ is_chain_with('chain', 'ledger', 'utxo') }} and {{ in_lookback_of_changed_days(1) }}

),

linked as (

    select
        chain,
        block_height,
        block_date,
        version,
        bits,
        nonce,
        header_time,
        has_missing_hash,
        block_hash,
        merkle_root,
        block_height = 0 or coalesce(lag(block_height) over by_height = block_height - 1, false) as has_parent,
        case when block_height = 0 then decode(repeat('00', 32), 'hex') else lag(block_hash) over by_height end as parent_hash
    from blocks
    window by_height as (partition by chain order by block_height)

),

assessed as materialized (

    select
        chain,
        block_height,
        block_date,
        case
            when has_missing_hash or version is null or header_time is null or bits is null or nonce is null
                then 'unverifiable: a header field is missing'
            when block_hash is null or merkle_root is null
                then 'failed: block hash or merkle root is not 64 lower-case hex digits'
            when
                version not between -2147483648 and 4294967295
                or header_time not between 0 and 4294967295
                or bits not between 0 and 4294967295
                or nonce not between 0 and 4294967295
                then 'failed: a header field does not fit into 32 bits'
            when not has_parent
                then 'unverifiable: the parent block is not in the warehouse'
            when parent_hash is null
                then 'unverifiable: the parent''s hash is missing or malformed'
            when
                {{ reverse_hash('block_hash') }}
                = {{ header_digest('version', 'parent_hash', 'merkle_root', 'header_time', 'bits', 'nonce') }}
                then 'verified'
            else 'failed: version, parent hash, merkle_root, time, bits and nonce do not hash to the block''s hash'
        end as outcome
    from linked
    where {{ in_changed_days('block_date') }}

)

select
    'block_header_hash' as check_name,
    chain,
    block_height,
    block_date,
    split_part(outcome, ': ', 1) as result,
    nullif(split_part(outcome, ': ', 2), '') as reason
from assessed
