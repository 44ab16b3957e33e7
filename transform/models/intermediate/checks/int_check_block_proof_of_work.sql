-- Where a block's hash is its work. Others' is done on a scrypt hash, or in another chain's block, and neither is in the data.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}

with

blocks as (

    select
        chain,
        block_height,
        block_date,
        block_hash,
        bits
    from {{ ref('int_blocks_unioned') }}
    where {{ is_chain_with('chain', 'work', 'sha256d') }} and {{ in_changed_days('block_time') }}

),

-- materialized, so that the outcome is computed once though it is read twice
assessed as materialized (

    select
        chain,
        block_height,
        block_date,
        case
            when block_hash is null or bits is null
                then 'unverifiable: a header field is missing'
            when bits not between 0 and 4294967295 or (bits & 8388608) <> 0
                then 'failed: the bits are no positive target'
            when (bits >> 24) not between 3 and 32
                then 'unverifiable: the target''s exponent is outside 3 to 32'
            when block_hash collate "C" <= {{ target_from_bits('bits') }} collate "C"
                then 'verified'
            else 'failed: the hash is above the target'
        end as outcome
    from blocks

)

select
    'block_proof_of_work' as check_name,
    chain,
    block_height,
    block_date,
    split_part(outcome, ': ', 1) as result,
    nullif(split_part(outcome, ': ', 2), '') as reason
from assessed
