{#
  What others have built upon a relation, views and grants, outlives every build.

  dbt builds a table or view beside the old one, renames the old one out of the way, the new one into its place, and drops
  the old one with all that stands on it. Here the old one stays, and takes the rows of the new one, or its query, as long
  as columns and indexes are the same. Where they are not, what this project itself has made upon it is dropped, for the
  same build to make again; a view of somebody else stops the build, before anything is changed.
#}
{% macro postgres__rename_relation(from_relation, to_relation) -%}
    {%- set fresh = make_intermediate_relation(from_relation) -%}
    {%- if to_relation.identifier == make_backup_relation(from_relation, from_relation.type).identifier -%}
        {%- if has_same_shape(from_relation, fresh) -%}
            {%- do take_content(from_relation, fresh) -%}
        {%- else -%}
            {%- do drop_for_another_shape(from_relation, fresh) -%}
        {%- endif -%}
    {%- elif from_relation.identifier == make_intermediate_relation(to_relation).identifier and relation_exists(to_relation) -%}
        {%- do run_query("drop " ~ from_relation.type ~ " " ~ from_relation) -%}
    {%- else -%}
        {%- do run_query("alter " ~ from_relation.type ~ " " ~ from_relation ~ " rename to " ~ adapter.quote(to_relation.identifier)) -%}
    {%- endif -%}
{%- endmacro %}


{# dbt revokes what the project does not grant. What others have granted on a mart stays theirs. #}
{% macro should_revoke(existing_relation, full_refresh_mode=True) %}
    {{ return(false) }}
{% endmacro %}


{# Whether a relation is in the database; dbt's cache has been told of the renaming already. #}
{% macro relation_exists(relation) %}
    {{ return(run_query("select to_regclass('" ~ relation ~ "') is not null").rows[0][0]) }}
{% endmacro %}


{# Whether two relations are of one kind and have the same columns, in order, and the same indexes. #}
{% macro has_same_shape(one, other) %}
    {%- set query -%}
        with

        relations as (

            select
                oid,
                relkind,
                oid = to_regclass('{{ one }}') as is_one
            from pg_class
            where oid in (to_regclass('{{ one }}'), to_regclass('{{ other }}'))

        ),

        columns as (

            select
                attrelid as oid,
                string_agg(format('%I %s %s', attname, format_type(atttypid, atttypmod), attnotnull), ', ' order by attnum) as shape
            from pg_attribute
            where attrelid in (select oid from relations) and attnum > 0 and not attisdropped
            group by attrelid

        ),

        indexes as (

            select
                index_oids.indrelid as oid,
                string_agg(index_oids.definition, ', ' order by index_oids.definition) as shape
            from (
                select
                    indrelid,
                    indisunique || substring(pg_get_indexdef(indexrelid) from ' USING .*') as definition
                from pg_index
                where indrelid in (select oid from relations)
            ) as index_oids
            group by index_oids.indrelid

        )

        select count(*) = 2 and count(distinct (relations.relkind, columns.shape, coalesce(indexes.shape, ''))) = 1
        from relations
        inner join columns on relations.oid = columns.oid
        left join indexes on relations.oid = indexes.oid
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}


{# Give a relation the rows or the query of another one of the same shape. #}
{% macro take_content(relation, fresh) %}
    {%- if relation.type == 'view' -%}
        {%- set query = run_query("select pg_get_viewdef(to_regclass('" ~ fresh ~ "'))").rows[0][0] -%}
        {%- do run_query("create or replace view " ~ relation ~ " as " ~ query) -%}
    {%- else -%}
        {%- set columns = get_quoted_csv(adapter.get_columns_in_relation(fresh) | map(attribute='name')) -%}
        {#- of two builds at once the second waits, and then deletes what the first has inserted -#}
        {%- do run_query("lock table " ~ relation ~ " in share row exclusive mode") -%}
        {#- not truncated: who has begun to read goes on, and nobody ever finds the table empty -#}
        {%- do run_query("delete from " ~ relation) -%}
        {%- do run_query("insert into " ~ relation ~ " (" ~ columns ~ ") select " ~ columns ~ " from " ~ fresh) -%}
    {%- endif -%}
{% endmacro %}


{# Drop a relation that gives way to one of another shape, unless somebody else's view stands on it; its grants are kept. #}
{% macro drop_for_another_shape(relation, fresh) %}
    {%- set made = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed') -%}
        {%- do made.append(node.schema ~ '.' ~ node.alias) -%}
    {%- endfor -%}
    {%- set own, others = [], [] -%}
    {%- for row in run_query(views_upon(relation)).rows -%}
        {%- do (own if row[0] ~ '.' ~ row[1] in made else others).append(row) -%}
    {%- endfor -%}
    {%- if others -%}
        {%- set names = [] -%}
        {%- for row in others -%}
            {%- do names.append(row[0] ~ '.' ~ row[1] ~ ' (of ' ~ row[3] ~ ')') -%}
        {%- endfor -%}
        {{ exceptions.raise_compiler_error(
            relation.schema ~ '.' ~ relation.identifier ~ ' gets other columns or indexes, but ' ~ names | join(', ')
            ~ ' stand on it, and would be lost. Nothing was changed. Keep their definitions (select pg_get_viewdef(...)), '
            ~ 'drop them, build again, and make them anew.'
        ) }}
    {%- endif -%}
    {%- for row in run_query(grants_on(relation)).rows -%}
        {%- do run_query('grant ' ~ row[0] ~ ' on ' ~ fresh ~ ' to ' ~ row[1]) -%}
    {%- endfor -%}
    {#- without cascade: what was not seen above stops it -#}
    {%- for row in own -%}
        {%- do run_query('drop ' ~ row[2] ~ ' ' ~ adapter.quote(row[0]) ~ '.' ~ adapter.quote(row[1])) -%}
    {%- endfor -%}
    {%- do run_query("drop " ~ relation.type ~ " " ~ relation) -%}
{% endmacro %}


{# The views that stand on a relation, directly or on one another, those first on which none stands: schema, name, kind, owner. #}
{% macro views_upon(relation) %}
    with recursive

    views as (

        select
            pg_rewrite.ev_class as oid,
            1 as distance
        from pg_depend
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
        where
            pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.refclassid = 'pg_class'::regclass
            and pg_depend.refobjid = to_regclass('{{ relation }}')
            and pg_rewrite.ev_class != pg_depend.refobjid

        union

        select
            pg_rewrite.ev_class as oid,
            views.distance + 1 as distance
        from views
        inner join pg_depend on views.oid = pg_depend.refobjid and pg_depend.refclassid = 'pg_class'::regclass
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid and pg_rewrite.ev_class != pg_depend.refobjid
        where pg_depend.classid = 'pg_rewrite'::regclass

    )

    select
        pg_namespace.nspname,
        pg_class.relname,
        case pg_class.relkind when 'm' then 'materialized view' else 'view' end as kind,
        pg_get_userbyid(pg_class.relowner) as owner
    from views
    inner join pg_class on views.oid = pg_class.oid
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    group by pg_class.oid, pg_namespace.nspname
    order by max(views.distance) desc, pg_namespace.nspname, pg_class.relname
{% endmacro %}


{# What was granted on a relation or its columns, and to whom. #}
{% macro grants_on(relation) %}
    with

    granted as (

        select
            acl.privilege_type as privilege,
            acl.grantee,
            pg_class.relowner
        from pg_class
        cross join lateral aclexplode(pg_class.relacl) as acl
        where pg_class.oid = to_regclass('{{ relation }}')

        union all

        select
            format('%s (%I)', acl.privilege_type, pg_attribute.attname) as privilege,
            acl.grantee,
            pg_class.relowner
        from pg_attribute
        inner join pg_class on pg_attribute.attrelid = pg_class.oid
        cross join lateral aclexplode(pg_attribute.attacl) as acl
        where pg_class.oid = to_regclass('{{ relation }}') and not pg_attribute.attisdropped

    )

    select
        privilege,
        case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as grantee
    from granted
    where grantee != relowner
{% endmacro %}
