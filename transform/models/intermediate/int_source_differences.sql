{{ config(materialized='table') }}
-- The days that came from both Blockchair and an own node, table by table; without such a day it costs nothing.
{%- set queries = [] -%}
{%- for chain in chains() -%}
    {%- for name, (keys, time_column) in comparable_tables(chain).items() -%}
        {%- set held = source('blockchair', table_prefix(chain) ~ '_' ~ name) -%}
        {%- if execute and not held.is_cte -%}
            {%- set compared = api.Relation.create(database=held.database, schema='raw_compared', identifier=held.identifier) -%}
            {%- if adapter.get_columns_in_relation(held) and adapter.get_columns_in_relation(compared) -%}
                {%- do queries.append(compared_columns(chain.name, name, held, compared, keys, time_column)) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{%- endfor %}
{% if queries -%}
{{ queries | join("\nunion all\n") }}
{%- else -%}
select
    cast(null as text) as chain,
    cast(null as text) as table_name,
    cast(null as date) as block_date,
    cast(null as text) as source,
    cast(null as text) as compared_source,
    cast(null as bigint) as row_count,
    cast(null as bigint) as compared_row_count,
    cast(null as text) as column_name,
    cast(null as bigint) as difference_count,
    cast(null as bigint) as first_block_height,
    cast(null as text) as first_row,
    cast(null as text) as first_value,
    cast(null as text) as first_compared_value
where false
{%- endif %}
