select
    concentration_key,
    asset_key,
    date_key,
    block_date,
    cast(block_date as timestamp) as day_start_at,
    block_count,
    known_miner_count,
    cast(unknown_share_ratio as double precision) as unknown_share_ratio,
    cast(hhi as double precision) as hhi,
    nakamoto_coefficient,
    has_all_blocks
from {{ ref('rpt_miner_concentration_daily') }}
