{#
  When a raw table was last changed, as the query of a source's freshness: by the ledger, so a table that no load ever
  changed, since nobody asks for it, is not old, nor is one that the variable `unwatched_tables` names.

  Against the machine's clock that is the age of the data. A simulated world has a clock of its own, which stands still until
  it is advanced; with DBT_FRESHNESS_CLOCK=source, as in the environment `local`, a table is as old as it is behind the
  other tables of its source: by the day of its newest rows, or where its loads name no day, by the time of its last load.
#}
{% macro last_changed(relation, chains=none) %}
    {%- set ledger = relation.incorporate(path={'identifier': 'load_ledger'}) -%}
    {#- not by adapter.get_relation(), as in raw_table() -#}
    {%- if not (execute and adapter.get_columns_in_relation(ledger)) or relation.identifier in var('unwatched_tables', []) -%}
    select now() as loaded_at
    {%- elif env_var('DBT_FRESHNESS_CLOCK', 'now') != 'source' -%}
    select coalesce(max(loaded_at), now()) as loaded_at from {{ ledger }}
    where table_name = '{{ relation.identifier }}'
    {%- else -%}
    select
        now() - coalesce(
            (max(last_day) - max(last_day) filter (where table_name = '{{ relation.identifier }}')) * interval '1 day',
            max(loaded_at) - max(loaded_at) filter (where table_name = '{{ relation.identifier }}'),
            interval '0'
        ) as loaded_at
    from {{ ledger }}
    where split_part(table_name, '_', 1) {{ "<>" if chains else "=" }} 'coingecko'
    {%- endif -%}
{% endmacro %}
