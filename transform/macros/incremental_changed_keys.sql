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
    -- the delete looks its keys up, and the planner hashes them only where it knows how many they are
    analyze {{ arg_dict['temp_relation'] }};
    -- of two runs at once the second waits, and then deletes what the first has inserted
    lock table {{ target }} in share row exclusive mode;
    delete from {{ target }}
    where {{ names_changed_days(noted_changes().days) }} or {{ key }} in (select {{ key }} from {{ arg_dict['temp_relation'] }});
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}


{#
  The condition that a row of such a table names a day that has to be rebuilt; `noted` is the condition on block_date that
  the model's SQL has noted, where it has been written already.
#}
{% macro names_changed_days(noted=none) -%}
    {%- set conditions = [] -%}
    {%- for column in config.get('meta', {}).get('day_columns', []) -%}
        {%- do conditions.append(noted | replace('block_date', column) if noted else in_changed_days(column)) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "true" }})
{%- endmacro %}
