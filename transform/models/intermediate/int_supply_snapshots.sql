-- Blockchair's own figure of the supply: the last snapshot of each day.
with

snapshots as (

    {% for chain in ['bitcoin', 'dogecoin', 'ethereum'] %}
        {% set column = 'circulation_approximate_base' if chain == 'ethereum' else 'circulation_base' %}
        select
            '{{ chain }}' as chain,
            observed_at,
            {{ utc_date('observed_at') }} as observed_date,
            {{ column }} as supply_base
        from {{ ref('stg_blockchair__' ~ chain ~ '_stats') }}
        where {{ column }} is not null
        {{ "union all" if not loop.last }}
    {% endfor %}

)

select distinct on (chain, observed_date)
    chain,
    observed_date,
    observed_at,
    supply_base
from snapshots
order by chain asc, observed_date asc, observed_at desc
