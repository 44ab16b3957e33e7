{#
  The rows that a model holds from earlier builds, and whether it adds to them: is_incremental(), which a unit test cannot
  change without the model's table, so that `dbt build` would fail in an empty warehouse. It changes these.
#}
{% macro rows_so_far() -%}
    {{ this }}
{%- endmacro %}


{% macro adds_rows() -%}
    {{ return(is_incremental()) }}
{%- endmacro %}


{# dbt's own macro, which knows only the materialization `incremental`: whether a model adds to rows that it has. #}
{% macro is_incremental() %}
    {%- set is_growing = execute and model.config.materialized in ('incremental', 'changed_days') -%}
    {{ return(is_growing and load_cached_relation(this) is not none and not should_full_refresh()) }}
{% endmacro %}
