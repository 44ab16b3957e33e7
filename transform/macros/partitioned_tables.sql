{#
  dbt makes no partitioned tables, so this makes them before it looks: models whose meta says `partition_by`, a date, are
  incremental, never fully refreshed, and cut by month. Columns, types and constraints are the contract's.

  As an on-run-start hook.
#}
{% macro create_partitioned_tables() %}
    {%- if execute -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.meta.get('partition_by') -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias, type='table') -%}
        {%- if adapter.check_schema_exists(node.database, node.schema) and load_cached_relation(relation) is none -%}
            {%- do run_query(partitioned_table_ddl(node, relation)) -%}
            {%- do adapter.cache_added(relation) -%}
            {%- do forget_watermark(node) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# A table that was dropped is filled from the first day, whatever its predecessor had taken in. #}
{% macro forget_watermark(node) %}
    {%- do run_query("delete from " ~ watermarks() ~ " where model_name = '" ~ node.alias ~ "'") -%}
{% endmacro %}


{# What makes a partitioned model's table, with its indexes. #}
{% macro partitioned_table_ddl(node, relation) %}
    create table {{ relation }} ({{ contract_columns(node) }}) partition by range ({{ node.config.meta.partition_by }});
    {{ contract_indexes(node, relation) }}
{% endmacro %}


{# A model's columns as its contract has them, of a view without what it cannot hold a row to. #}
{% macro contract_columns(node) %}
    {%- for column in node.columns.values() -%}
        {%- set constraints = [] if node.config.materialized == 'view' else column.constraints | map(attribute='type') | list -%}
        {{ adapter.quote(column.name) }} {{ column.data_type }}
        {%- if 'not_null' in constraints %} not null{% endif %}
        {%- if 'primary_key' in constraints %} primary key{% endif %}
        {{- ", " if not loop.last }}
    {%- endfor %}
{% endmacro %}


{# Commands that make a model's indexes on a relation. #}
{% macro contract_indexes(node, relation) %}
    {%- for index in node.config.indexes or [] %}
    create {{ "unique " if index.unique }}index on {{ relation }} using {{ index.type or 'btree' }} ({{ index.columns | join(", ") }});
    {%- endfor %}
{% endmacro %}


{# Make the months that a table lacks for rows that wait in another, and note these months for analyze_written(). #}
{% macro create_partitions(target, waiting, column) %}
    {%- set months -%}
        select distinct cast(date_trunc('month', {{ column }}) as date) as month from {{ waiting }} order by 1
    {%- endset -%}
    {%- set parts = [] -%}
    {%- for row in run_query(months).rows -%}
        {%- set name = target.identifier ~ row[0].strftime('_p%Y_%m') -%}
        {%- set part = target.incorporate(path={'identifier': name}) -%}
        {%- set stop = modules.datetime.date(row[0].year + row[0].month // 12, row[0].month % 12 + 1, 1) -%}
        {%- do run_query(
            "create table if not exists " ~ part ~ " partition of " ~ target
            ~ " for values from ('" ~ row[0] ~ "') to ('" ~ stop ~ "')"
        ) -%}
        {%- do parts.append(part) -%}
    {%- endfor -%}
    {%- do model.update({'written_parts': parts}) -%}
{% endmacro %}
