{# The name that a miner goes by: Blockchair's word for one it could not guess also stands where it gives none. #}
{% macro miner_name(column) -%}
    coalesce(nullif(trim({{ column }}), ''), 'Unknown')
{%- endmacro %}
