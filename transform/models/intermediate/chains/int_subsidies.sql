-- What a block may issue, of the registry, macros/chains.sql.
select
    chain,
    cast(first_height as bigint) as first_height,
    cast(subsidy_base as numeric) as subsidy_base,
    note
from (
    values
    {% for chain in chains() %}
        {% set last_chain = loop.last %}
        {% for first_height, subsidy_base, note in subsidies_of(chain) %}
            ('{{ chain.name }}', {{ first_height }}, {{ subsidy_base }}, '{{ note }}'){{ "," if not (loop.last and last_chain) }}
        {% endfor %}
    {% endfor %}
) as registry (chain, first_height, subsidy_base, note)
