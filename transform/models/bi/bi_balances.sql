with

facts as (

    select
        balance_key,
        chain,
        asset_key,
        date_key,
        observed_date,
        address,
        balance_rank,
        balance_base,
        balance_usd,
        price_status,
        price_date
    from {{ ref('fct_address_balances_snapshot') }}
    where is_last_of_day

),

assets as ({{ columns_of(ref('int_chains'), 'chain, base_unit_decimals') }})

select
    facts.balance_key,
    facts.asset_key,
    facts.date_key,
    facts.observed_date,
    cast(facts.observed_date as timestamp) as day_start_at,
    facts.address,
    facts.balance_rank,
    {{ to_native('facts.balance_base', 'assets.base_unit_decimals') }} as balance_native,
    cast(facts.balance_base as text) as balance_base_text,
    cast(facts.balance_usd as numeric(19, 4)) as balance_usd,
    facts.price_status,
    facts.price_date
from facts
left join assets on facts.chain = assets.chain
