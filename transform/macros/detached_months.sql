{#
  As an on-run-start hook: name the months of raw tables that somebody has detached by `alter table`. No model sees their rows,
  so what is built of them is kept as it is, and the gate stops a build that would rebuild one of their days without them.

  A month that a backfill keeps detached has a constraint until its last day is loaded; one that `target-postgres:months detach`
  has taken out has another name. Neither is named here.
#}
{% macro warn_of_detached_months() %}
    {%- if execute -%}
        {%- set rows = run_query(detached_months()).rows -%}
        {%- if rows -%}
            {%- do exceptions.warn(
                "Detached from their tables, and so not read: " ~ rows | map(attribute=0) | join(", ") ~ ". Their rows are kept; `meltano "
                "invoke target-postgres:months attach` makes them part of their tables again, and a month that is to stay out takes another name."
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# A query for the tables that were months of a partitioned raw table and are not any more. #}
{% macro detached_months() %}
    {%- set schemas = graph.sources.values() | map(attribute='schema') | unique | list -%}
    select month_table.relnamespace::regnamespace::text || '.' || month_table.relname as name
    from pg_class as raw_table
    inner join pg_class as month_table
        on
            raw_table.relnamespace = month_table.relnamespace
            and left(month_table.relname, length(raw_table.relname)) = raw_table.relname
            and substr(month_table.relname, length(raw_table.relname) + 1) ~ '^_p\d{4,}_\d\d$'
    where
        raw_table.relkind = 'p'
        and month_table.relkind = 'r'
        and not month_table.relispartition
        and raw_table.relnamespace::regnamespace::text in ('{{ schemas | join("', '") }}')
        and not exists (
            select 1 from pg_constraint where conrelid = month_table.oid and conname = 'rows_of_the_month'
        )
    order by 1
{% endmacro %}
