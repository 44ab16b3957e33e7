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
    create table {{ relation }} (
    {%- for column in node.columns.values() %}
        {{ adapter.quote(column.name) }} {{ column.data_type }}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list %} not null{% endif %}
        {{- "," if not loop.last }}
    {%- endfor %}
    ) partition by range ({{ node.config.meta.partition_by }});
    {%- for index in node.config.indexes or [] %}
    create {{ "unique " if index.unique }}index on {{ relation }} using {{ index.type or 'btree' }} ({{ index.columns | join(", ") }});
    {%- endfor %}
{% endmacro %}


{# Make the months that a table lacks for rows that wait in another. #}
{% macro create_partitions(target, waiting, column) %}
    {%- set months -%}
        select distinct cast(date_trunc('month', {{ column }}) as date) as month from {{ waiting }} order by 1
    {%- endset -%}
    {%- for row in run_query(months).rows -%}
        {%- set name = target.identifier ~ row[0].strftime('_p%Y_%m') -%}
        {%- set part = target.incorporate(path={'identifier': name}) -%}
        {%- set stop = modules.datetime.date(row[0].year + row[0].month // 12, row[0].month % 12 + 1, 1) -%}
        {%- do run_query(
            "create table if not exists " ~ part ~ " partition of " ~ target
            ~ " for values from ('" ~ row[0] ~ "') to ('" ~ stop ~ "')"
        ) -%}
    {%- endfor -%}
{% endmacro %}
