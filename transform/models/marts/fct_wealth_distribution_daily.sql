-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

balances as (

    select
        chain,
        observed_at,
        observed_date,
        balance_base,
        balance_rank
    from {{ ref('int_address_balances_ranked') }}

),

-- one snapshot a day, the last
day_snapshots as (

    select
        chain,
        observed_date,
        max(observed_at) as observed_at
    from balances
    group by chain, observed_date

),

bands as (

    select
        top_count,
        'top ' || top_count as band
    from unnest(array[1, 10, 100, 1000]) as tops (top_count)

),

-- as everywhere: what the blocks have issued, where all are there, else Blockchair's own figure
supplies as (

    select
        day_snapshots.chain,
        day_snapshots.observed_date,
        coalesce(issued.supply_base, stated.supply_base) as supply_base
    from day_snapshots
    left join {{ ref('int_supply_daily') }} as issued
        on day_snapshots.chain = issued.chain and day_snapshots.observed_date = issued.block_date
    left join {{ ref('int_supply_snapshots') }} as stated
        on day_snapshots.chain = stated.chain and day_snapshots.observed_date = stated.observed_date

),

held as (

    select
        day_snapshots.chain,
        day_snapshots.observed_date,
        day_snapshots.observed_at,
        bands.band,
        bands.top_count,
        count(balances.balance_rank) as address_count,
        sum(balances.balance_base) as balance_base,
        min(balances.balance_base) as smallest_balance_base
    from day_snapshots
    cross join bands
    inner join balances
        on
            day_snapshots.chain = balances.chain
            and day_snapshots.observed_at = balances.observed_at
            and bands.top_count >= balances.balance_rank
    group by day_snapshots.chain, day_snapshots.observed_date, day_snapshots.observed_at, bands.band, bands.top_count

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }})

select
    {{ surrogate_key(['held.chain', 'held.observed_date', 'held.band']) }} as wealth_band_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('held.observed_date') }} as date_key,
    held.chain,
    held.observed_date,
    held.observed_at,
    held.band,
    held.top_count,
    held.address_count,
    held.balance_base,
    held.smallest_balance_base,
    supplies.supply_base,
    {{ quotient('held.balance_base', 'supplies.supply_base', 8) }} as supply_share
from held
left join supplies on held.chain = supplies.chain and held.observed_date = supplies.observed_date
left join assets on held.chain = assets.chain
-- a band that the snapshot does not fill would pass for a whole one
where held.address_count = held.top_count
