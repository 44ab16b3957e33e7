-- Blockchair's own figure of the supply: the last snapshot of each day.
with

snapshots as (

    select
        chain,
        observed_at,
        {{ utc_date('observed_at') }} as observed_date,
        circulation_base as supply_base
    from {{ ref('stg_blockchair__utxo_stats') }}
    where circulation_base is not null

    union all

    select
        'ethereum' as chain,
        observed_at,
        {{ utc_date('observed_at') }} as observed_date,
        circulation_approximate_base as supply_base
    from {{ ref('stg_blockchair__ethereum_stats') }}
    where circulation_approximate_base is not null

)

select distinct on (chain, observed_date)
    chain,
    observed_date,
    observed_at,
    supply_base
from snapshots
order by chain asc, observed_date asc, observed_at desc
