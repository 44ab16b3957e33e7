{#
  As an on-run-end hook: where the write-audit-publish gate has failed, a line for each block that failed, for the log, for Airflow
  and for alerts. Printed without dbt's timestamp. A run in which the gate was not tested, or passed, prints nothing.
#}
{% macro report_failed_checks(results, most=20) %}
    {%- if execute and results | selectattr('node.name', 'equalto', 'assert_no_integrity_failures') | selectattr('status', 'equalto', 'fail') | list -%}
        {%- set query -%}
            select
                chain || coalesce(' block ' || block_height || ' of', '') || ' ' || block_date as place,
                -- values of a source are quoted in it, and the log may be read on a terminal
                left(regexp_replace(string_agg(check_name || ': ' || reason, '; ' order by check_name), '{{ unprintable() }}', '?', 'g'), 500) as reasons
            from {{ existing('int_integrity_failures') }}
            group by chain, block_height, block_date
            order by chain, block_height, block_date
        {%- endset -%}
        {%- set places = run_query(query).rows -%}
        {%- for place in places[:most] -%}
            {%- do print('check failed: ' ~ place[0] ~ ', ' ~ place[1]) -%}
        {%- endfor -%}
        {%- if places | length > most -%}
            {%- do print('check failed: ' ~ (places | length - most) ~ ' more blocks; all of them are in intermediate.int_integrity_failures') -%}
        {%- endif -%}
        {%- set days = run_query(days_to_load_again()).rows[0] -%}
        {%- if days[0] -%}
            {%- do print(
                'to load these days again: TAP_BLOCKCHAIR_START_DATE=' ~ days[0] ~ ' TAP_BLOCKCHAIR_END_DATE=' ~ days[1] ~ ' meltano --environment='
                ~ target.name ~ ' run --full-refresh --state-id-suffix=again tap-blockchair--dumps target-postgres'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#
  As an on-run-end hook: where the audit has failed, which rows of CoinGecko's are gone, a line for each coin, currency and
  granularity, and the command that loads them again.
#}
{% macro report_price_rows_gone(results) %}
    {%- if execute and results | selectattr('node.name', 'equalto', 'assert_no_price_rows_are_gone') | selectattr('status', 'equalto', 'fail') | list -%}
        {%- set query -%}
            select
                left(
                    regexp_replace(
                        table_name || ', ' || coin_id || ' in ' || vs_currency || ', ' || granularity || ': rows gone: '
                        || missing_rows || ', stamped ' || dates,
                        '{{ unprintable() }}', '?', 'g'
                    ),
                    500
                ) as what,
                min(first_date) over () as first_date
            from {{ existing('int_price_rows_gone') }}
            order by table_name, coin_id, vs_currency, granularity
        {%- endset -%}
        {%- set gone = run_query(query).rows -%}
        {%- for row in gone -%}
            {%- do print('check failed: ' ~ row[0]) -%}
        {%- endfor -%}
        {%- if gone -%}
            {%- do print(
                'to load them again: TAP_COINGECKO_START_DATE=' ~ gone[0][1] ~ ' meltano --environment=' ~ target.name
                ~ ' run --full-refresh --state-id-suffix=again tap-coingecko target-postgres'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# The first and the last of the days of which rows are missing, or too many. #}
{% macro days_to_load_again() %}
    select
        min(case when check_name = 'chain_days' then cast(substring(reason from '\d{4}-\d{2}-\d{2}') as date) else block_date end) as first_day,
        max(case when check_name = 'chain_days' then block_date - 1 else block_date end) as last_day
    from {{ existing('int_integrity_failures') }}
    where check_name in ('chain_days', 'unit_rows')
{% endmacro %}


{# What a terminal would obey, and what would hide text or turn its direction, as a regular expression of PostgreSQL. #}
{% macro unprintable() -%}
    [[:cntrl:]\u0080-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]
{%- endmacro %}
