{#
  The incremental strategy `changed_days`: the days that changed are deleted and inserted anew, in one transaction. A row
  that is gone from its day goes, whatever its key, which merging or deleting by key cannot do. Rows need the columns
  chain and block_date; the model restricts itself by in_changed_days().
#}
{% macro get_incremental_changed_days_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- if config.get('meta', {}).get('partition_by') -%}
        {%- do create_partitions(target, arg_dict['temp_relation'], config.get('meta')['partition_by']) -%}
    {%- endif -%}
    delete from {{ target }} where {{ in_changed_days('block_date') }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
