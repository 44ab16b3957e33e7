{#
  As a post-hook, in the transaction of a model that tracks int_changed_days: statistics of what it has just written. Of a
  day that the statistics do not know the planner expects one row, and those who read it next compare each row with each.

  Of a table cut by month only the months that took rows are analyzed, and the whole, by whose statistics joins are estimated.
  PostgreSQL 17 and older cannot analyze the whole without each of its months: there it is analyzed where it never was, and
  else by `warehouse maintain`.
#}
{% macro analyze_written() %}
    {%- if execute and model.config.get('incremental_strategy') in ['changed_days', 'changed_keys'] and (load_result('main').response.rows_affected or 0) > 0 -%}
        {%- if not config.get('meta', {}).get('partition_by') -%}
            analyze {{ this }}
        {%- else -%}
            {%- set query -%}
                select
                    current_setting('server_version_num')::integer >= 180000,
                    exists(select 1 from pg_stats where schemaname = '{{ this.schema }}' and tablename = '{{ this.identifier }}' and inherited)
            {%- endset -%}
            {%- set analyzes_alone, is_analyzed = run_query(query).rows[0] -%}
            {%- if analyzes_alone -%}
                analyze {{ model.written_parts | join(", ") }}, only {{ this }}
            {%- elif is_analyzed -%}
                analyze {{ model.written_parts | join(", ") }}
            {%- else -%}
                analyze {{ this }}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
