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
{{ (queries or [nothing_compared()]) | join("\nunion all\n") }}
