{#
  dbt's own hook for the `where` of a data test, with two words more, so that a test of a table of millions of rows reads
  what is new. `__changed_days__`: the days that the model rebuilt when it last had any to rebuild, for a table with the columns
  chain and block_date; `__changed_days:last_seen_date__` the same by another date. `__loaded_days:ethereum_calls:block_time__`:
  the days of a raw table on which loads of the last run changed rows, by that column; `__loaded_days:utxo_outputs:block_time__`
  the same for each chain with a ledger of outputs. With the variable `test_all_days` both read all.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where and execute -%}
        {%- if where.startswith('__changed_days') -%}
            {%- set words = where.strip('_').split(':') -%}
            {%- set where = last_rebuilt_days(relation.identifier, words[1] if words | length > 1 else 'block_date') -%}
        {%- elif where.startswith('__loaded_days:') -%}
            {%- set words = where.strip('_').split(':') -%}
            {%- if words[1].startswith('utxo_') -%}
                {%- set conditions = [] -%}
                {%- for chain in utxo_chains() -%}
                    {%- set of_days = last_loaded_days(table_prefix(chain) ~ words[1].removeprefix('utxo'), words[2]) -%}
                    {%- do conditions.append("chain = '" ~ chain.name ~ "' and " ~ of_days) -%}
                {%- endfor -%}
                {%- set where = conditions | join(' or ') -%}
            {%- else -%}
                {%- set where = last_loaded_days(words[1], words[2]) -%}
            {%- endif -%}
        {%- endif -%}
        (select * from {{ relation }} where {{ where }}) dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{# A model's table as it is in the database; none if it is not there. Tests cannot use ref() for what they do not test. #}
{% macro existing(model_name) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model_name -%}
        {{ return(adapter.get_relation(node.database, node.schema, node.alias)) }}
    {%- endfor -%}
{% endmacro %}


{# The condition that a row is of a day that a model took in with its last change, or with all it had been held back from. #}
{% macro last_rebuilt_days(model_name, column='block_date') -%}
    {%- set log = existing('int_changed_days') -%}
    {%- set table = adapter.get_relation(watermarks().database, watermarks().schema, watermarks().identifier) -%}
    {%- if log is none or table is none or var('test_all_days', false) -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set taken = run_query("select previous_change_id, change_id from " ~ table ~ " where model_name = '" ~ model_name ~ "'").rows -%}
    {%- if not taken or taken[0][0] is none -%}
        {{ return('true') }}
    {%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.alias == model_name -%}
        {%- set ranges = changed_ranges(log, taken[0][0], taken[0][1], node.config.meta) -%}
        {{ return(days_condition(ranges, column)) }}
    {%- endfor -%}
{%- endmacro %}


{# The condition that a row is of a day that was loaded since the run before; staging is tested before this run tracks its loads. #}
{% macro last_loaded_days(table_name, column) -%}
    {%- set tracked = existing('int_loads_tracked') -%}
    {%- set ledger = existing('stg_loader__load_ledger') -%}
    {%- if tracked is none or ledger is none or var('test_all_days', false) -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set query -%}
        select min(first_day), max(last_day) + 1, coalesce(bool_or(first_day is null), false), count(*)
        from {{ ledger }} as ledger
        where table_name = '{{ table_name }}' and not exists (
            select 1 from {{ tracked }} as tracked
            where tracked.load_id = ledger.load_id and tracked.change_id < (select max(change_id) from {{ tracked }})
        )
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- if row[2] or '_load_id' not in raw_columns('blockchair', table_name) -%}
        {{ return('true') }}
    {%- elif row[3] == 0 -%}
        {{ return('false') }}
    {%- endif -%}
    {{ return("(" ~ column ~ " >= '" ~ row[0] ~ " 00:00:00+00' and " ~ column ~ " < '" ~ row[1] ~ " 00:00:00+00')") }}
{%- endmacro %}


{# The columns that a raw table has in the database. #}
{% macro raw_columns(source_name, table_name) %}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {#- not by adapter.get_relation(), as in raw_table() -#}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.identifier) -%}
        {{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | list) }}
    {%- endfor -%}
    {{ return([]) }}
{% endmacro %}
