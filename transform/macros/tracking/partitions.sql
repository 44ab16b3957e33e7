{#
  Tables cut by a date (meta `partition_by`) into months and, where days come one by one, days.

  A day that is new becomes a partition by exchange: its rows are written once, by a select that PostgreSQL can run in
  parallel, indexes are built upon them, and the table is attached under a lock that no reader waits for. So a day costs
  what its own rows cost, however many days the table has: in an index of a month, keys that are hashes would each land on
  another page. More than three new days of a month that is over and has no partition yet become one partition;
  `dbt run-operation merge_days` (job `maintenance`) makes one of the days of each month that is over. Rows of a day that
  has a partition are deleted and inserted in it. A rebuild of all days makes all partitions beside the old ones, which
  would else hold each row twice, and puts them in their place at its end: readers wait for that moment only.

  dbt makes no partitioned tables: the first build makes one from the model's contract, or where it has none, from the
  columns of its first rows.
#}
{% macro write_partitions(target_relation, existing_relation, select, column) %}
    {%- set fresh = make_intermediate_relation(target_relation) -%}
    {%- do run_query("drop table if exists " ~ fresh) -%}
    {%- call statement('main') -%}
        create table {{ fresh }} as
        {{ typed_select(select) }}
    {%- endcall -%}
    {%- set is_there = existing_relation is not none and is_cut_as_asked(existing_relation) -%}
    {%- set all_again = is_there and changes().everything -%}
    {%- if not is_there -%}
        {%- do drop_for_another_shape(existing_relation, fresh) if existing_relation is not none -%}
        {%- do run_query(partitioned_table_ddl(model, target_relation, fresh)) -%}
    {%- else -%}
        {%- do process_schema_changes(config.get('on_schema_change'), fresh, target_relation) -%}
        {%- if not all_again -%}
            {%- do run_query("delete from " ~ target_relation ~ " where " ~ in_changed_days(config.get('meta', {}).get('day_column', column))) -%}
        {%- endif -%}
    {%- endif -%}
    {%- set written, parts = [], run_query(partitions_of(target_relation, fresh, column, all_again)).rows -%}
    {%- for part in parts -%}
        {%- set partition = target_relation.incorporate(path={'identifier': part.partition_name ~ ('_new' if all_again else '')}) -%}
        {%- set is_whole = part.row_count == load_result('main').response.rows_affected -%}
        {%- if part.is_there -%}
            {%- do run_query(insert_rows(partition, fresh, column, part)) -%}
        {%- else -%}
            {%- do run_query(new_partition(target_relation, partition, fresh, column, part, is_whole)) -%}
            {%- do run_query(attach_partition(target_relation, partition, part)) if not all_again -%}
        {%- endif -%}
        {%- do written.append(target_relation.incorporate(path={'identifier': part.partition_name})) -%}
    {%- endfor -%}
    {%- do run_query(exchange_partitions(target_relation, parts)) if all_again -%}
    {%- do run_query("drop table if exists " ~ fresh) -%}
    {%- do analyze_partitions(target_relation, written) if written -%}
{% endmacro %}


{# Whether a model's table is cut by a date if the model says so; an older release may have made it in one piece. #}
{% macro is_cut_as_asked(relation) %}
    {%- set query = "select relkind = 'p' from pg_class where oid = to_regclass('" ~ relation ~ "')" -%}
    {{ return(not config.get('meta', {}).get('partition_by') or run_query(query).rows[0][0] == true) }}
{% endmacro %}


{# A model's rows in the types of its contract, where it has one, in the order in which they are to lie. #}
{% macro typed_select(select) %}
    {%- set contract = config.get('contract') -%}
    {%- if contract and contract.enforced -%}
        {{ get_assert_columns_equivalent(select) }}
    select
        {% for column in model.columns.values() -%}
        cast({{ adapter.quote(column.name) }} as {{ column.data_type }}) as {{ adapter.quote(column.name) }}{{ "," if not loop.last }}
        {% endfor %}
    from ({{ select }}) as typed
    {%- else -%}
    select * from ({{ select }}) as selected
    {%- endif %}
    {{ row_order(model) }}
{% endmacro %}


{# How the rows of a partition lie; nothing where meta `order_by` is empty. #}
{% macro row_order(node) -%}
    {%- set columns = node.config.meta.get('order_by', 'chain, block_date, block_height') -%}
    {{- "order by " ~ columns if columns }}
{%- endmacro %}


{#
  A query for the partitions that hold the rows of another table: name, first day, last day excluded, number of rows, and
  whether they are there, which with `all_again` none is. A day belongs to its month's, or has one of its own.
#}
{% macro partitions_of(target_relation, fresh, column, all_again=false) %}
    with

    days as (

        select
            {{ column }} as day,
            cast(date_trunc('month', {{ column }}) as date) as month,
            count(*) as row_count
        from {{ fresh }}
        group by 1, 2

    ),

    named as (

        select
            *,
            '{{ target_relation.identifier }}' || to_char(month, '_pYYYY_MM') as month_name,
            '{{ target_relation.identifier }}' || to_char(day, '_pYYYY_MM_DD') as day_name
        from days

    ),

    held as (

        select relname as name
        from pg_inherits
        inner join pg_class on inhrelid = oid
        where inhparent = '{{ target_relation }}'::regclass and not {{ all_again }}

    ),

    placed as (

        select
            *,
            month_name in (select name from held)
            or (
                count(*) over (partition by month) > 3
                and not exists (select 1 from held where starts_with(held.name, month_name))
                and greatest(max(month_name) over (), (select max(name) from held)) > month_name
            ) as by_month
        from named

    )

    select
        case when by_month then month_name else day_name end as partition_name,
        case when by_month then month else day end as first_day,
        case when by_month then cast(month + interval '1 month' as date) else day + 1 end as stop_day,
        sum(row_count) as row_count,
        case when by_month then month_name else day_name end in (select name from held) as is_there
    from placed
    group by 1, 2, 3
    order by 2
{% endmacro %}


{# Insert a partition's rows from another table, which holds them in the order in which they are to lie. #}
{% macro insert_rows(partition, fresh, column, part) %}
    {%- set columns = get_quoted_csv(adapter.get_columns_in_relation(fresh) | map(attribute='name')) %}
    insert into {{ partition }} ({{ columns }})
    select {{ columns }} from {{ fresh }}
    where {{ column }} >= '{{ part.first_day }}' and {{ column }} < '{{ part.stop_day }}'
{% endmacro %}


{#
  Make a table with a partition's rows from another table, of that table itself where it holds no others, to be attached. Its
  constraint lets PostgreSQL attach it without reading it, as the columns that are never null let it.
#}
{% macro new_partition(target_relation, partition, fresh, column, part, is_whole) %}
    {%- if is_whole %}
    alter table {{ fresh }} rename to {{ adapter.quote(partition.identifier) }};
    {%- else %}
    create table {{ partition }} as
    select * from {{ fresh }}
    where {{ column }} >= '{{ part.first_day }}' and {{ column }} < '{{ part.stop_day }}';
    {%- endif %}
    {{ prepare_partition(model, target_relation, partition, part) }}
{% endmacro %}


{# Give a table with a partition's rows its indexes and constraints; nobody waits for that. #}
{% macro prepare_partition(node, target_relation, partition, part) %}
    {%- set column = node.config.meta.partition_by -%}
    {{ contract_indexes(node, partition) }}
    alter table {{ partition }}
        {%- for name in never_null(target_relation) %}
        alter column {{ adapter.quote(name) }} set not null,
        {%- endfor %}
        add constraint rows_of_the_partition check ({{ column }} is not null and {{ column }} >= '{{ part.first_day }}' and {{ column }} < '{{ part.stop_day }}');
{% endmacro %}


{# Attach a table that was prepared. #}
{% macro attach_partition(target_relation, partition, part) %}
    alter table {{ target_relation }} attach partition {{ partition }} for values from ('{{ part.first_day }}') to ('{{ part.stop_day }}');
    alter table {{ partition }} drop constraint rows_of_the_partition;
{% endmacro %}


{# Drop a table's partitions, and attach those that were made beside them, with `_new` behind their names. #}
{% macro exchange_partitions(target_relation, parts) %}
    do $old$
    declare
        old regclass;
    begin
        for old in select inhrelid from pg_inherits where inhparent = '{{ target_relation }}'::regclass loop
            execute format('drop table %s', old);
        end loop;
    end
    $old$;
    {%- for part in parts %}
    {%- set partition = target_relation.incorporate(path={'identifier': part.partition_name}) %}
    alter table {{ target_relation.incorporate(path={'identifier': part.partition_name ~ '_new'}) }}
        rename to {{ adapter.quote(part.partition_name) }};
    {{ attach_partition(target_relation, partition, part) }}
    {%- endfor %}
{% endmacro %}


{% macro never_null(relation) %}
    {%- set query = "select attname from pg_attribute where attrelid = '" ~ relation ~ "'::regclass and attnum > 0 and attnotnull and not attisdropped" -%}
    {{ return(run_query(query).columns[0].values()) }}
{% endmacro %}


{#
  Renew the statistics of partitions that took rows, and of the whole, by whose statistics joins are estimated. PostgreSQL 17
  and older cannot analyze the whole without each partition: there it is analyzed where it never was, and else by
  `warehouse maintain`.
#}
{% macro analyze_partitions(target_relation, written) %}
    {%- set query -%}
        select
            current_setting('server_version_num')::integer >= 180000 as analyzes_alone,
            exists (
                select 1 from pg_stats
                where schemaname = '{{ target_relation.schema }}' and tablename = '{{ target_relation.identifier }}' and inherited
            ) as is_analyzed
    {%- endset -%}
    {%- set server = run_query(query).rows[0] -%}
    {%- if server.analyzes_alone -%}
        {%- do run_query("analyze " ~ written | join(", ") ~ ", only " ~ target_relation) -%}
    {%- else -%}
        {%- do run_query("analyze " ~ (written | join(", ") if server.is_analyzed else target_relation)) -%}
    {%- endif -%}
{% endmacro %}


{# What makes a partitioned model's table, with its indexes: by its contract, or like a table with its columns. #}
{% macro partitioned_table_ddl(node, relation, like=none) %}
    create table {{ relation }} ({{ contract_columns(node) if node.config.contract.enforced else "like " ~ like }})
    partition by range ({{ node.config.meta.partition_by }});
    {{ contract_indexes(node, relation) }}
{% endmacro %}


{# A model's columns as its contract has them, of a view without what it cannot hold a row to. #}
{% macro contract_columns(node) %}
    {%- for column in node.columns.values() -%}
        {%- set constraints = [] if node.config.materialized == 'view' else column.constraints | map(attribute='type') | list -%}
        {{ adapter.quote(column.name) }} {{ column.data_type }}
        {%- if 'not_null' in constraints %} not null{% endif %}
        {%- if 'primary_key' in constraints %} primary key{% endif %}
        {{- ", " if not loop.last }}
    {%- endfor %}
{% endmacro %}


{# Commands that make a model's indexes on a relation. #}
{% macro contract_indexes(node, relation) %}
    {%- for index in node.config.indexes or [] %}
    create {{ "unique " if index.unique }}index on {{ relation }} using {{ index.type or 'btree' }} ({{ index.columns | join(", ") }});
    {%- endfor %}
{% endmacro %}
