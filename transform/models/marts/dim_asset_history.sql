-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

-- a coin is described alike in every quote currency: one row for each moment
snapshots as (

    select distinct on (coin_id, observed_at)
        coin_id,
        observed_at,
        upper(symbol) as symbol,
        coin_name,
        market_cap_rank,
        max_supply_native
    from {{ ref('stg_coingecko__coins_markets') }}
    order by coin_id asc, observed_at asc, vs_currency = 'usd' desc, vs_currency asc

),

compared as (

    select
        coin_id,
        observed_at,
        symbol,
        coin_name,
        market_cap_rank,
        max_supply_native,
        row_number() over by_time as place,
        lag(symbol) over by_time as symbol_before,
        lag(coin_name) over by_time as coin_name_before,
        lag(market_cap_rank) over by_time as market_cap_rank_before,
        lag(max_supply_native) over by_time as max_supply_before
    from snapshots
    window by_time as (partition by coin_id order by observed_at)

),

-- a change back begins a version of its own
numbered as (

    select
        coin_id,
        observed_at,
        symbol,
        coin_name,
        market_cap_rank,
        max_supply_native,
        count(*) filter (
            where
            place = 1
            or symbol is distinct from symbol_before
            or coin_name is distinct from coin_name_before
            or market_cap_rank is distinct from market_cap_rank_before
            or max_supply_native is distinct from max_supply_before
        ) over (partition by coin_id order by observed_at) as version_number
    from compared

),

versions as (

    select
        coin_id,
        version_number,
        symbol,
        coin_name,
        market_cap_rank,
        max_supply_native,
        min(observed_at) as valid_from,
        max(observed_at) as last_observed_at,
        count(*) as observation_count
    from numbered
    group by coin_id, version_number, symbol, coin_name, market_cap_rank, max_supply_native

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id') }})

select
    {{ surrogate_key(['versions.coin_id', 'extract(epoch from versions.valid_from)']) }} as asset_history_key,
    coalesce(assets.asset_key, -1) as asset_key,
    versions.coin_id as coingecko_id,
    versions.version_number,
    versions.symbol,
    versions.coin_name as asset_name,
    versions.market_cap_rank,
    versions.max_supply_native,
    versions.valid_from,
    lead(versions.valid_from) over by_version as valid_to,
    lead(versions.valid_from) over by_version is null as is_current,
    versions.last_observed_at,
    versions.observation_count
from versions
left join assets on versions.coin_id = assets.coingecko_id
window by_version as (partition by versions.coin_id order by versions.version_number)

union all

select
    -1 as asset_history_key,
    -1 as asset_key,
    'unknown' as coingecko_id,
    1 as version_number,
    'unknown' as symbol,
    'Unknown' as asset_name,
    null as market_cap_rank,
    null as max_supply_native,
    null as valid_from,
    null as valid_to,
    true as is_current,
    null as last_observed_at,
    0 as observation_count
