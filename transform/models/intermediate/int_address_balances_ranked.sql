-- The largest balances of every snapshot. A dump of all addresses has no ranks, so they are counted here for both.
with

ranked as (

    select
        chain,
        observed_at,
        observed_date,
        address,
        balance_base,
        row_number() over (partition by chain, observed_at order by balance_base desc, address asc) as balance_rank
    from {{ ref('int_address_balances_unioned') }}

)

select
    chain,
    observed_at,
    observed_date,
    address,
    balance_base,
    balance_rank
from ranked
where balance_rank <= {{ var('top_addresses') }}
