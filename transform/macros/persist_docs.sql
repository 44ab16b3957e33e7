{#
  Descriptions as comments on a relation and its columns. dbt writes each of them at every build, after asking twice for the
  columns; here only those are written that differ from what stands there, and mostly that is one query.
#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {%- set described = {} -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do described.update({'': model.description}) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() -%}
            {%- do described.update({column.name if column.quote else column.name | lower: column.description}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set statements, missing = [], [] -%}
    {%- for row in run_query(comments_that_differ(relation, described)).rows if described -%}
        {%- do (statements.append(row[1]) if row[1] else missing.append(row[0])) -%}
    {%- endfor -%}
    {%- do run_query(statements | join('; ')) if statements -%}
    {%- if missing -%}
        {%- do exceptions.warn(relation ~ ' lacks columns that are described: ' ~ missing | join(', ')) -%}
    {%- endif -%}
{% endmacro %}


{# A query for the descriptions that are no comments yet, by column, with the statement that writes each; null if there is no such column. #}
{% macro comments_that_differ(relation, described) %}
    with

    described as (

        select
            key as column_name,
            value as description
        from jsonb_each_text('{{ tojson(described) | replace("'", "''") }}'::jsonb)

    ),

    places as (

        select
            described.column_name,
            described.description,
            pg_class.oid,
            case pg_class.relkind when 'v' then 'view' else 'table' end as kind,
            case described.column_name when '' then 0 else pg_attribute.attnum end as place
        from described
        inner join pg_class on pg_class.oid = to_regclass('{{ relation }}')
        left join pg_attribute
            on
                pg_class.oid = pg_attribute.attrelid
                and described.column_name = pg_attribute.attname
                and pg_attribute.attnum > 0

    )

    select
        column_name,
        case
            when place = 0 then format('comment on %s %s is %L', kind, places.oid::regclass, places.description)
            when place > 0 then format('comment on column %s.%I is %L', places.oid::regclass, column_name, places.description)
        end as statement
    from places
    left join pg_description
        on
            places.oid = pg_description.objoid
            and pg_description.classoid = 'pg_class'::regclass
            and places.place = pg_description.objsubid
    where places.description != coalesce(pg_description.description, '') or place is null
    order by place
{% endmacro %}
