-- depends_on: {{ ref('int_integrity_failures') }}
with

balances as (

    select
        chain,
        observed_at,
        observed_date,
        address,
        balance_base,
        balance_rank
    from {{ ref('int_address_balances_ranked') }}

),

addresses as (

    select address_key
    from {{ ref('dim_address') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

)

select
    {{ surrogate_key(['balances.chain', "balances.observed_at at time zone 'UTC'", 'balances.address']) }} as balance_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('balances.observed_date') }} as date_key,
    coalesce(addresses.address_key, -1) as address_key,
    balances.chain,
    balances.observed_at,
    balances.observed_date,
    balances.address,
    balances.balance_rank,
    balances.balance_base,
    {{ to_usd('balances.balance_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as balance_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status
from balances
left join assets on balances.chain = assets.chain
left join addresses on {{ surrogate_key(['balances.chain', 'balances.address']) }} = addresses.address_key
left join prices
    on
        assets.asset_key = prices.asset_key
        and balances.observed_date = prices.close_date
