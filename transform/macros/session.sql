{#
  As an on-run-start hook: a session that inherits from environment, role or database what changes the meaning of SQL ends
  the run before it writes anything. Meltano's plugin sets all of them; dbt typed by itself takes what it finds.
#}
{% macro require_session_settings() %}
    {%- if execute -%}
        {%- set wanted = {
            'array_nulls': 'on', 'bytea_output': 'hex', 'client_encoding': 'UTF8', 'DateStyle': 'ISO, MDY',
            'default_transaction_isolation': 'read committed', 'default_transaction_read_only': 'off',
            'extra_float_digits': '1', 'gin_fuzzy_search_limit': '0', 'IntervalStyle': 'postgres',
            'quote_all_identifiers': 'off', 'session_replication_role': 'origin', 'standard_conforming_strings': 'on',
            'server_encoding': 'UTF8', 'timezone_abbreviations': 'Default', 'transform_null_equals': 'off'
        } -%}
        {%- set asked = "select name, setting from pg_settings where name in ('TimeZone', '" ~ wanted | join("', '") ~ "')" -%}
        {%- set other = [] -%}
        {%- for name, value in run_query(asked).rows -%}
            {%- if value not in ([wanted[name]] if name in wanted else ['UTC', 'Etc/UTC', 'GMT']) -%}
                {%- do other.append(name ~ " is " ~ value ~ ", not " ~ wanted.get(name, 'UTC')) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if other -%}
            {{ exceptions.raise_compiler_error(
                "The session is not as the models need it: " ~ other | join("; ") ~ ". Nothing was built. Run dbt by `meltano invoke "
                "dbt-postgres`, or set PGOPTIONS, PGCLIENTENCODING, PGDATESTYLE and PGTZ as transform/utilities.meltano.yml does."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
