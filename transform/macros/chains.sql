{#
  What each chain is: the one place in which the models know it. A chain of which nothing is loaded costs an empty branch.
  Seeds with lines by chain, network_forks and dust_limits, may lack one.

  - name: Blockchair's name, and the chain's in every model; its raw tables begin with it, with underscores.
  - coin, symbol, asset_name, base_unit, decimals: of its coin, at CoinGecko and in dim_asset.
  - genesis: the UTC date of the first block.
  - ledger: `utxo` for a ledger of outputs, `account` for one of accounts.
  - is_default: in dim_asset and dim_network_epoch also where nothing of it is loaded.
  - has_segwit: transactions have a weight, by which a block is limited and a fee is paid.
  - extension_from: from this height on blocks carry data of an extension (MWEB), of which Blockchair does not say whether it
    counts it in sizes and weights; checks of these hold below it.
  - work: `sha256d` where a block's hash is its work and can be held against the target; `scrypt` or `none` where it cannot.
  - retarget_blocks: difficulty is set every so many blocks; where it is not there, at each block.
  - replaced_coinbases: heights whose coinbase a later one of the same hash replaced (BIP 30).
  - halving: what the first block may issue, in base units, and after how many blocks that is halved; or
  - subsidies: from a height on, the most that a block may issue, in base units, and why.
  - source: the file of its node's software that says so.
#}
{% macro chains() %}
    {{ return([
        {
            'name': 'bitcoin', 'coin': 'bitcoin', 'symbol': 'BTC', 'asset_name': 'Bitcoin', 'base_unit': 'satoshi', 'decimals': 8,
            'genesis': '2009-01-03', 'ledger': 'utxo', 'is_default': true, 'has_segwit': true, 'work': 'sha256d',
            'retarget_blocks': 2016, 'replaced_coinbases': [91722, 91812], 'halving': [5000000000, 210000],
            'source': 'bitcoin/bitcoin src/kernel/chainparams.cpp',
        },
        {
            'name': 'ethereum', 'coin': 'ethereum', 'symbol': 'ETH', 'asset_name': 'Ethereum', 'base_unit': 'wei', 'decimals': 18,
            'genesis': '2015-07-30', 'ledger': 'account', 'is_default': true, 'work': 'none',
            'subsidies': [
                [0, 5000000000000000000, 'Frontier'], [4370000, 3000000000000000000, 'Byzantium'],
                [7280000, 2000000000000000000, 'Constantinople'], [15537394, 0, 'the Merge'],
            ],
        },
        {
            'name': 'dogecoin', 'coin': 'dogecoin', 'symbol': 'DOGE', 'asset_name': 'Dogecoin', 'base_unit': 'koinu', 'decimals': 8,
            'genesis': '2013-12-06', 'ledger': 'utxo', 'is_default': true, 'work': 'scrypt',
            'subsidies': [
                [0, 100000000000000, 'random, this at most'], [100000, 50000000000000, 'random, this at most'],
                [145000, 25000000000000, 'fixed'], [200000, 12500000000000, 'fixed'], [300000, 6250000000000, 'fixed'],
                [400000, 3125000000000, 'fixed'], [500000, 1562500000000, 'fixed'], [600000, 1000000000000, 'fixed'],
            ],
        },
        {
            'name': 'litecoin', 'coin': 'litecoin', 'symbol': 'LTC', 'asset_name': 'Litecoin', 'base_unit': 'litoshi', 'decimals': 8,
            'genesis': '2011-10-07', 'ledger': 'utxo', 'has_segwit': true, 'extension_from': 2257920, 'work': 'scrypt',
            'retarget_blocks': 2016, 'halving': [5000000000, 840000],
            'source': 'litecoin-project/litecoin src/chainparams.cpp',
        },
        {
            'name': 'bitcoin-cash', 'coin': 'bitcoin-cash', 'symbol': 'BCH', 'asset_name': 'Bitcoin Cash', 'base_unit': 'satoshi',
            'decimals': 8, 'genesis': '2009-01-03', 'ledger': 'utxo', 'work': 'sha256d', 'replaced_coinbases': [91722, 91812],
            'halving': [5000000000, 210000],
        },
    ]) }}
{% endmacro %}


{# The chains with a ledger of outputs. #}
{% macro utxo_chains() %}
    {{ return(chains() | selectattr('ledger', 'equalto', 'utxo') | list) }}
{% endmacro %}


{# What the names of a chain's raw tables begin with. #}
{% macro table_prefix(chain) %}
    {{ return(chain.name | replace('-', '_')) }}
{% endmacro %}


{# The condition that a column names one of the chains that have an attribute, or have it with a value. #}
{% macro is_chain_with(column, attribute, value=true) -%}
    {{ column }} in ('{{ chains() | selectattr(attribute, 'defined') | selectattr(attribute, 'equalto', value) | map(attribute='name') | join("', '") }}')
{%- endmacro %}


{# The condition that a block carries data of an extension beside what its size and weight are known to count. #}
{% macro has_extension(chain_column, block_height) -%}
    (
        {%- for chain in chains() if chain.extension_from %}
        {{- " or " if not loop.first }}{{ chain_column }} = '{{ chain.name }}' and {{ block_height }} >= {{ chain.extension_from }}
        {%- endfor -%}
    )
{%- endmacro %}


{# A raw table of every chain with a ledger of outputs, with the chain's name before its columns. #}
{% macro raw_utxo_tables(table_name) -%}
    {%- for chain in utxo_chains() %}
    select
        '{{ chain.name }}' as chain,
        raw_rows.*
    from (
        {{ raw_table('blockchair', table_prefix(chain) ~ '_' ~ table_name) }}
    ) as raw_rows
    {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{# What the blocks of a chain may issue: a list of first height, base units and why. #}
{% macro subsidies_of(chain) %}
    {%- if 'halving' not in chain -%}
        {{ return(chain.subsidies) }}
    {%- endif -%}
    {%- set found = [] -%}
    {%- for halvings in range(65) if not found or found[-1][1] > 0 -%}
        {%- do found.append([halvings * chain.halving[1], chain.halving[0] // 2 ** halvings, 'halving']) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}
