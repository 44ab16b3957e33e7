{#
  As an on-run-end hook: where the gate has failed, which blocks it was, a line each, for the log, for Airflow and for alerts.
  Printed as it stands, without dbt's clock before it. Nothing is said of a run in which the gate was not tested or held.
#}
{% macro report_proof_failures(results, most=20) %}
    {%- if execute and results | selectattr('node.name', 'equalto', 'assert_no_integrity_failures') | selectattr('status', 'equalto', 'fail') | list -%}
        {%- set query -%}
            select
                chain,
                block_height,
                min(block_date) as block_date,
                left(string_agg(check_name || ': ' || reason, '; ' order by check_name), 500) as reasons
            from {{ existing('int_integrity_failures') }}
            group by chain, block_height
            order by chain, block_height
        {%- endset -%}
        {%- set blocks = run_query(query).rows -%}
        {%- for block in blocks[:most] -%}
            {%- do print('proof failed: ' ~ block[0] ~ ' block ' ~ block[1] ~ ' of ' ~ block[2] ~ ', ' ~ block[3]) -%}
        {%- endfor -%}
        {%- if blocks | length > most -%}
            {%- do print('proof failed: ' ~ (blocks | length - most) ~ ' more blocks; all of them are in intermediate.int_integrity_failures') -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
