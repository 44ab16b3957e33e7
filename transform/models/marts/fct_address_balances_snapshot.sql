-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

balances as (

    select
        chain,
        observed_at,
        observed_date,
        address,
        balance_base,
        balance_rank,
        observed_at = max(observed_at) over (partition by chain, observed_date) as is_last_of_day
    from {{ ref('int_address_balances_ranked') }}

),

addresses as (

    select address_key
    from {{ ref('dim_address') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

snapshot_days as (

    select distinct
        assets.asset_key,
        balances.chain,
        balances.observed_date,
        assets.base_unit_decimals
    from balances
    left join assets on balances.chain = assets.chain

),

-- a snapshot lies between two closes: the later one, and until that is known the one before
priced_days as (

    select distinct on (snapshot_days.chain, snapshot_days.observed_date)
        snapshot_days.chain,
        snapshot_days.observed_date,
        snapshot_days.asset_key,
        snapshot_days.base_unit_decimals,
        prices.close_date,
        prices.close_price_usd
    from snapshot_days
    left join prices
        on
            snapshot_days.asset_key = prices.asset_key
            and prices.close_date between snapshot_days.observed_date - 1 and snapshot_days.observed_date
    order by snapshot_days.chain asc, snapshot_days.observed_date asc, prices.close_date desc nulls last

)

select
    {{ surrogate_key(['balances.chain', "balances.observed_at at time zone 'UTC'", 'balances.address']) }} as balance_key,
    coalesce(priced_days.asset_key, -1) as asset_key,
    {{ date_key('balances.observed_date') }} as date_key,
    coalesce(addresses.address_key, -1) as address_key,
    balances.chain,
    balances.observed_at,
    balances.observed_date,
    balances.address,
    balances.balance_rank,
    balances.balance_base,
    {{ to_usd('balances.balance_base', 'priced_days.base_unit_decimals', 'priced_days.close_price_usd') }} as balance_usd,
    case when priced_days.close_price_usd is null then 'missing' else 'priced' end as price_status,
    priced_days.close_date as price_date,
    balances.is_last_of_day
from balances
left join priced_days on balances.chain = priced_days.chain and balances.observed_date = priced_days.observed_date
left join addresses on {{ surrogate_key(['balances.chain', 'balances.address']) }} = addresses.address_key
