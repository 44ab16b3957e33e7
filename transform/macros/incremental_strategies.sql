{#
  The incremental strategy `changed_days`: the days that changed are deleted and inserted anew, in one transaction. A row
  that is gone from its day goes, whatever its key, which merging or deleting by key cannot do. Rows need the columns
  chain and block_date, or the one that meta `day_column` names; the model restricts itself by in_changed_days(), and just
  what that said is deleted.
#}
{% macro get_incremental_changed_days_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set day_column = config.get('meta', {}).get('day_column', 'block_date') -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- if config.get('meta', {}).get('partition_by') -%}
        {%- do create_partitions(target, arg_dict['temp_relation'], config.get('meta')['partition_by']) -%}
    {%- endif -%}
    -- of two runs at once the second waits, and then deletes what the first has inserted
    lock table {{ target }} in share row exclusive mode;
    delete from {{ target }} where {{ noted_changes().days | replace('block_date', day_column) }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
    {#- rows of a day side by side, however the model came by them: an index by day then leads to few pages -#}
    {%- if config.get('meta', {}).get('partition_by') %}
    order by chain, block_date, block_height
    {%- endif %}
{% endmacro %}


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
