{#
  A raw time as timestamptz. The stock loader stores UTC in columns without a time zone; a plain cast would read
  them in the session's zone.
#}
{% macro to_utc(expression, raw_type) -%}
    {%- if raw_type == 'timestamp with time zone' -%}
    {{ expression }}
    {%- else -%}
    cast({{ expression }} as timestamp) at time zone 'UTC'
    {%- endif -%}
{%- endmacro %}


{# The UTC date of a timestamptz, whatever the session's time zone. #}
{% macro utc_date(expression) -%}
    cast({{ expression }} at time zone 'UTC' as date)
{%- endmacro %}


{# A date as yyyymmdd, the key of dim_date; -1 where there is no date. #}
{% macro date_key(expression) -%}
    coalesce(cast(to_char({{ expression }}, 'YYYYMMDD') as integer), -1)
{%- endmacro %}
