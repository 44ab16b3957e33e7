{{
    as_bi(
        ref('fct_miner_daily'),
        others={'known_block_count': "case when lower(facts.miner) = 'unknown' then 0 else facts.block_count end"},
    )
}}
