{#
  dbt's own hook for the rows that a data test reads. A test of a table that grows with the chain reads what is new: of a
  model of the materialization `changed_days` the days that it rebuilt when it last had any to rebuild, of a staging model
  whose meta `loaded_by` names a time the days on which loads of the last run changed rows. With the variable
  `test_all_days` it reads all, and so does a test that has a `where` of its own, of which it reads what that says.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') or rows_to_test(relation) -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }}) dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{# The condition that a row of a model is new; none where all are to be tested. #}
{% macro rows_to_test(relation) %}
    {%- for node in (graph.nodes.values() if execute and not var('test_all_days', false) else []) -%}
        {%- if node.resource_type == 'model' and node.alias == relation.identifier and node.schema == relation.schema -%}
            {%- if node.config.materialized == 'changed_days' -%}
                {{ return(last_rebuilt_days(node)) }}
            {%- elif node.config.meta.get('loaded_by') -%}
                {{ return(last_loaded_days(node.name.removeprefix('stg_blockchair__'), node.config.meta.loaded_by)) }}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{# A model's table as it is in the database; none if it is not there. Tests cannot use ref() for what they do not test. #}
{% macro existing(model_name) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model_name -%}
        {{ return(adapter.get_relation(node.database, node.schema, node.alias)) }}
    {%- endfor -%}
{% endmacro %}


{# The condition that a row is of a day that a model took in with its last change, or with all it had been held back from. #}
{% macro last_rebuilt_days(node) -%}
    {%- set log = existing(node.config.meta.get('log', 'int_changed_days')) -%}
    {%- if log is none or kind_of(watermarks()) == '' -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query = "select previous_change_id, change_id, tested_change_id from " ~ watermarks() ~ " where model_name = '" ~ node.alias ~ "'" -%}
    {%- set taken = run_query(query).rows -%}
    {%- set since = tested_up_to(*taken[0].values()) if taken else none -%}
    {%- if since is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set ranges = run_query(ranges_of_days(log, since, taken[0][1], node)).rows -%}
    {%- set conditions = [] -%}
    {%- for column in node.config.meta.get('day_columns', [node.config.meta.get('day_column', 'block_date')]) -%}
        {%- do conditions.append(days_condition(ranges, column)) -%}
    {%- endfor -%}
    {{ return(conditions | join(' or ')) }}
{%- endmacro %}


{# The condition that a row of staging is of a day that was loaded since the run before, of each chain of its tables. #}
{% macro last_loaded_days(table_name, column) -%}
    {%- if not table_name.startswith('utxo_') -%}
        {{ return(loaded_days(table_name, column)) }}
    {%- endif -%}
    {%- set conditions = [] -%}
    {%- for chain in utxo_chains() -%}
        {%- do conditions.append("chain = '" ~ chain.name ~ "' and " ~ loaded_days(table_prefix(chain) ~ table_name.removeprefix('utxo'), column)) -%}
    {%- endfor -%}
    {{ return(conditions | join(' or ')) }}
{%- endmacro %}


{#
  The same for one raw table; staging is tested before this run tracks its loads. Those of the last change are read again
  until all tests of the model have passed.
#}
{% macro loaded_days(table_name, column) -%}
    {%- set tracked = existing('int_loads_tracked') -%}
    {%- set ledger = existing('stg_loader__load_ledger') -%}
    {%- if tracked is none or ledger is none -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set query -%}
        select min(first_day), max(last_day) + 1, coalesce(bool_or(first_day is null), false), count(*)
        from {{ ledger }} as ledger
        where table_name = '{{ table_name }}' and not exists (
            select 1 from {{ tracked }} as tracked
            where
                tracked.load_id = ledger.load_id
                and tracked.change_id <= coalesce({{ staging_tested_up_to() }}, (select max(change_id) from {{ tracked }}) - 1)
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


{# The change up to which the staging model whose test is compiled was tested; null where that is not known. #}
{% macro staging_tested_up_to() -%}
    {%- if kind_of(watermarks()) == '' -%}
        null
    {%- else -%}
        (select tested_change_id from {{ watermarks() }} where model_name = '{{ graph.nodes[model.attached_node].alias }}')
    {%- endif -%}
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
