-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    {{ surrogate_key(['chain', 'miner']) }} as miner_key,
    chain,
    miner,
    bool_or(is_unknown) as is_unknown,
    min(block_date) as first_block_date,
    max(block_date) as last_block_date
from {{ ref('int_miners_daily') }}
group by chain, miner

union all

select
    -1 as miner_key,
    'unknown' as chain,
    'unknown' as miner,
    true as is_unknown,
    null as first_block_date,
    null as last_block_date
