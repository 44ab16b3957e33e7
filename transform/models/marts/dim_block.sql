{# A view, since fct_blocks has it all: for reports that drill from a fact to its block and need no measures of it. #}
{{ config(materialized='view') }}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    block_key,
    chain,
    block_height,
    block_hash,
    previous_block_hash,
    block_time,
    block_date,
    median_time,
    difficulty,
    miner_key,
    header_check = 'verified' as is_header_verified,
    is_final
from {{ ref('fct_blocks') }}

union all

select
    -1 as block_key,
    'unknown' as chain,
    cast(null as bigint) as block_height,
    cast(null as text) as block_hash,
    cast(null as text) as previous_block_hash,
    cast(null as timestamptz) as block_time,
    cast(null as date) as block_date,
    cast(null as timestamptz) as median_time,
    cast(null as numeric) as difficulty,
    cast(-1 as bigint) as miner_key,
    false as is_header_verified,
    false as is_final
