{#
  The incremental strategy `changed_keys`, for a table with one row per thing, in which days are attributes: an address
  and when it was first seen. A row may change or go when one of the days that its attributes name changes (meta
  `day_columns`), or when a changed day names the thing. The model selects the keys of both anew; here the rows of both
  are deleted, so that a thing that no day names any longer is gone.
#}
{% macro get_incremental_changed_keys_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set key = config.get('unique_key') -%}
    delete from {{ target }}
    where {{ names_changed_days() }} or {{ key }} in (select {{ key }} from {{ arg_dict['temp_relation'] }});
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}


{# The condition that a row of such a table names a day that has to be rebuilt. #}
{% macro names_changed_days() -%}
    {%- set conditions = [] -%}
    {%- for column in config.get('meta', {}).get('day_columns', []) -%}
        {%- do conditions.append(in_changed_days(column)) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "true" }})
{%- endmacro %}


{# As such a model's own post-hook: that it has taken in all there is. The project's own leaves these models out. #}
{% macro record_keys_watermark() %}
    {%- if execute -%}
    insert into {{ watermarks() }} (model_name, change_id, applied_at)
    select '{{ this.identifier }}', coalesce(max(change_id), 0), now() from {{ ref('int_changed_days') }}
    on conflict (model_name) do update set change_id = excluded.change_id, applied_at = excluded.applied_at
    {%- endif -%}
{% endmacro %}
