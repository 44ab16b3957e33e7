-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set coins = {'1': 1, '100': 100, '10k': 10000} %}
{% set parts = {'1k': 1000, '10k': 10000, '100k': 100000, '1m': 1000000, '10m': 10000000} %}
with

snapshots as (

    select
        chain,
        observed_date,
        observed_at,
        is_whole,
        count(*) as address_count,
        ceil(count(*) / 100.0) as top_1_percent_count,
        sum(balance_base) as balance_base,
        min(balance_base) as smallest_balance_base
    from {{ ref('int_address_balances_unioned') }}
    where balance_base > 0
    group by chain, observed_date, observed_at, is_whole

),

-- one a day: the last of all addresses, else the last of the largest
day_snapshots as (

    select distinct on (chain, observed_date)
        chain,
        observed_date,
        observed_at,
        is_whole,
        address_count,
        top_1_percent_count,
        balance_base,
        smallest_balance_base
    from snapshots
    order by chain asc, observed_date asc, is_whole desc, observed_at desc

),

assets as (

    select
        asset_key,
        chain,
        cast('1e' || base_unit_decimals as numeric) as coin_base
    from {{ ref('dim_asset') }}
    where chain is not null

),

-- as everywhere: what the blocks have issued, where all are there, else Blockchair's own figure
supplies as (

    select
        day_snapshots.chain,
        day_snapshots.observed_date,
        coalesce(issued.supply_base, stated.supply_base) as supply_base,
        case
            when issued.supply_base is not null then issued.supply_source
            when stated.supply_base is not null then 'snapshot'
        end as supply_source
    from day_snapshots
    left join {{ ref('int_supply_daily') }} as issued
        on day_snapshots.chain = issued.chain and day_snapshots.observed_date = issued.block_date
    left join {{ ref('int_supply_snapshots') }} as stated
        on day_snapshots.chain = stated.chain and day_snapshots.observed_date = stated.observed_date

),

measured_snapshots as (

    select
        day_snapshots.chain,
        day_snapshots.observed_date,
        day_snapshots.observed_at,
        day_snapshots.is_whole,
        day_snapshots.address_count,
        day_snapshots.top_1_percent_count,
        day_snapshots.smallest_balance_base,
        assets.asset_key,
        assets.coin_base,
        coalesce(supplies.supply_base, case when day_snapshots.is_whole then day_snapshots.balance_base end) as supply_base,
        case
            when supplies.supply_base is not null then supplies.supply_source
            when day_snapshots.is_whole then 'balances'
            else 'unknown'
        end as supply_source
    from day_snapshots
    left join assets on day_snapshots.chain = assets.chain
    left join supplies
        on
            day_snapshots.chain = supplies.chain
            and day_snapshots.observed_date = supplies.observed_date

),

ranked_balances as (

    select
        chain,
        observed_at,
        is_whole,
        balance_base,
        row_number() over (partition by chain, observed_at, is_whole order by balance_base desc) as balance_rank
    from {{ ref('int_address_balances_unioned') }}
    where balance_base > 0

),

-- a balance counts as soon as it is at the threshold, which is multiplied out so that nothing is rounded
sums as (

    select
        snapshots.chain,
        snapshots.observed_date,
        {% for name, amount in coins.items() %}
            count(*) filter (where balances.balance_base >= {{ amount }} * snapshots.coin_base) as counted_{{ name }}_coins,
        {% endfor %}
        {% for name, part in parts.items() %}
            count(*) filter (where balances.balance_base * {{ part }} >= snapshots.supply_base) as counted_1_in_{{ name }},
        {% endfor %}
        sum(balances.balance_base) filter (where balances.balance_base * 10000 >= snapshots.supply_base) as large_base,
        sum(balances.balance_base) filter (where balances.balance_base * 10000000 < snapshots.supply_base) as small_base,
        sum(balances.balance_base) filter (where balances.balance_rank <= 100) as top_100_base,
        sum(balances.balance_base) filter (where balances.balance_rank <= snapshots.top_1_percent_count) as top_1_percent_base
    from measured_snapshots as snapshots
    inner join ranked_balances as balances
        on
            snapshots.chain = balances.chain
            and snapshots.observed_at = balances.observed_at
            and snapshots.is_whole = balances.is_whole
    group by snapshots.chain, snapshots.observed_date

)

-- All addresses above a threshold are in the snapshot where its smallest balance is below that. A balance that equals it
-- need not be the only one.
select
    {{ surrogate_key(['snapshots.chain', 'snapshots.observed_date']) }} as wealth_day_key,
    coalesce(snapshots.asset_key, -1) as asset_key,
    {{ date_key('snapshots.observed_date') }} as date_key,
    snapshots.chain,
    snapshots.observed_date,
    snapshots.observed_at,
    snapshots.is_whole,
    snapshots.address_count,
    snapshots.smallest_balance_base,
    snapshots.supply_base,
    snapshots.supply_source,
    {% for name, amount in coins.items() %}
        case
            when snapshots.is_whole or snapshots.smallest_balance_base < {{ amount }} * snapshots.coin_base
                then sums.counted_{{ name }}_coins
        end as address_count_{{ name }}_coins,
    {% endfor %}
    {% for name, part in parts.items() %}
        case
            when
                snapshots.supply_base is not null
                and (snapshots.is_whole or snapshots.smallest_balance_base * {{ part }} < snapshots.supply_base)
                then sums.counted_1_in_{{ name }}
        end as address_count_1_in_{{ name }},
    {% endfor %}
    case
        when snapshots.is_whole or snapshots.smallest_balance_base * 10000 < snapshots.supply_base
            then {{ quotient('coalesce(sums.large_base, 0)', 'snapshots.supply_base', 8) }}
    end as network_distribution_factor,
    case
        when snapshots.is_whole and snapshots.supply_base is not null
            then {{ quotient('coalesce(sums.small_base, 0)', 'sums.top_1_percent_base', 8) }}
    end as supply_equality_ratio,
    case
        when snapshots.is_whole or snapshots.address_count >= 100
            then {{ quotient('sums.top_100_base', 'snapshots.supply_base', 8) }}
    end as top_100_share,
    case
        when snapshots.is_whole
            then {{ quotient('sums.top_1_percent_base', 'snapshots.supply_base', 8) }}
    end as top_1_percent_share
from measured_snapshots as snapshots
left join sums
    on
        snapshots.chain = sums.chain
        and snapshots.observed_date = sums.observed_date
