{#
  Selects a raw table by the columns that its source declares, each cast to the declared type.

  A table that does not exist yet becomes a typed, empty relation, and a missing column a typed null, so that a
  project with one chain, with market data only, or with nothing at all builds. source() is called in every case:
  the lineage is the same whether the table exists or not.

  Whether it exists the database says, by its columns, and not adapter.get_relation(): dbt fills its cache of a schema
  that is not the project's table by table, and answers a thread that asks meanwhile that a table is not there.
#}
{% macro raw_table(source_name, table_name) -%}
    {%- set relation = source(source_name, table_name) -%}
    {%- if not execute or relation.is_cte -%}
    {#- parsing, or a unit test, whose fixture is typed already -#}
    select * from {{ relation }}
    {%- else -%}
    {%- set raw_types = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do raw_types.update({column.name: column.dtype}) -%}
    {%- endfor -%}
    select
    {%- for column in declared_columns(source_name, table_name) %}
        {%- set quoted = adapter.quote(column.name) %}
        {%- if column.name not in raw_types %}
        cast(null as {{ column.data_type }})
        {%- elif column.data_type == 'timestamptz' %}
        {{ to_utc(quoted, raw_types[column.name]) }}
        {%- else %}
        cast({{ quoted }} as {{ column.data_type }})
        {%- endif %} as {{ quoted }}
        {{- "," if not loop.last }}
    {%- endfor %}
    {% if raw_types -%}
    from {{ relation }}
    {%- else -%}
    where false
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{# The columns that the source's YAML lists for a table. #}
{% macro declared_columns(source_name, table_name) %}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {{ return(node.columns.values() | list) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error("Source " ~ source_name ~ "." ~ table_name ~ " is not declared.") }}
{% endmacro %}
