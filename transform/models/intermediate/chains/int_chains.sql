-- The registry's chains, macros/chains.sql, and their coins.
select
    coingecko_id,
    symbol,
    asset_name,
    chain,
    table_prefix,
    base_unit_name,
    base_unit_decimals,
    cast(genesis_date as date) as genesis_date,
    is_default
from (
    values
    {% for chain in chains() %}
        (
            '{{ chain.coin }}', '{{ chain.symbol }}', '{{ chain.asset_name }}', '{{ chain.name }}', '{{ table_prefix(chain) }}',
            '{{ chain.base_unit }}', {{ chain.decimals }}, '{{ chain.genesis }}', {{ chain.is_default or false }}
        ){{ "," if not loop.last }}
    {% endfor %}
) as registry (
    coingecko_id, symbol, asset_name, chain, table_prefix, base_unit_name, base_unit_decimals, genesis_date, is_default
)
