{#
  As an operation, in the job `maintenance`: the partitions of the days of a month that is over, of each table that is cut by
  day, become one partition of the month, in a transaction that readers wait for only while the one takes the others'
  place. Where somebody reads the table for longer than `lock_timeout`, its days stay until the next time.
#}
{% macro merge_days(lock_timeout='30s') %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.meta.get('partition_by') -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias, type='table') -%}
        {%- for month in run_query(months_in_days(relation)).rows -%}
            {%- do log(relation.schema ~ '.' ~ relation.identifier ~ ': merging ' ~ month.day_names.split() | length ~ ' days into ' ~ month.month_name, info=true) -%}
            {%- do run_query(merged_month(node, relation, month, lock_timeout)) -%}
            {%- if kind_of(relation.incorporate(path={'identifier': month.month_name})) == '' -%}
                {%- do log('  somebody reads the table: its days stay until the next time', info=true) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{# A query for the months of a table that are over and lie in days: name, first day, last day excluded, and the days' names. #}
{% macro months_in_days(relation) %}
    with

    held as (

        select relname as name
        from pg_inherits
        inner join pg_class on inhrelid = oid
        where inhparent = to_regclass('{{ relation }}')

    ),

    months as (

        select
            substring(name from '^(.*_p\d{4,}_\d\d)_\d\d$') as month_name,
            substring(name from '_p(\d{4,}_\d\d)_\d\d$') as month,
            name
        from held

    )

    select
        month_name,
        to_date(month, 'YYYY_MM') as first_day,
        cast(to_date(month, 'YYYY_MM') + interval '1 month' as date) as stop_day,
        string_agg(name, ' ' order by name) as day_names
    from months
    where month is not null and month_name || '_99' < (select max(name) from held)
    group by month_name, month
    order by month_name
{% endmacro %}


{# Commands, in one transaction, that put the rows of a month's days into one partition. #}
{% macro merged_month(node, relation, month, lock_timeout) %}
    {%- set column = node.config.meta.partition_by -%}
    {%- set merged = relation.incorporate(path={'identifier': month.month_name}) %}
    do $merge$
    begin
    set local lock_timeout = '{{ lock_timeout }}';
    lock table {{ relation }} in share row exclusive mode;
    create table {{ merged }} as
    select * from {{ relation }}
    where {{ column }} >= '{{ month.first_day }}' and {{ column }} < '{{ month.stop_day }}'
    {{ row_order(node) }};
    {{ prepare_partition(node, relation, merged, month) }}
    {% for name in month.day_names.split() -%}
    {%- set day = relation.incorporate(path={'identifier': name}) -%}
    alter table {{ relation }} detach partition {{ day }};
    drop table {{ day }};
    {% endfor -%}
    {{ attach_partition(relation, merged, month) }}
    analyze {{ merged }};
    exception when lock_not_available then
        null; -- all of it is undone, and merge_days() says so
    end
    $merge$;
    commit;
{% endmacro %}
