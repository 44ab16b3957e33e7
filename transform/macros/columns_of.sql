{# Some columns of a model, for a CTE that only brings them in: `assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain') }}),`. #}
{% macro columns_of(relation, columns, where=none) -%}
    select {{ columns }} from {{ relation }}{{ " where " ~ where if where }}
{%- endmacro %}
