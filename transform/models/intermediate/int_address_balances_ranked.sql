-- The largest balances of every snapshot. A dump of all addresses has no ranks, so they are counted here for both.
with

balances as (

    {% for chain in ['bitcoin', 'dogecoin', 'ethereum'] %}
        select
            '{{ chain }}' as chain,
            observed_at,
            address,
            balance_base
        from {{ ref('stg_blockchair__' ~ chain ~ '_addresses') }}
        {{ "union all" if not loop.last }}
    {% endfor %}

),

ranked as (

    select
        chain,
        observed_at,
        address,
        balance_base,
        row_number() over (partition by chain, observed_at order by balance_base desc, address asc) as balance_rank
    from balances

)

select
    chain,
    observed_at,
    {{ utc_date('observed_at') }} as observed_date,
    address,
    balance_base,
    balance_rank
from ranked
where balance_rank <= {{ var('top_addresses') }}
