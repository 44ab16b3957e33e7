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
        {#- it may have gone with a relation that it stood on; one of the same shape stays, and takes the rows below -#}
        {%- if kind_of(from_relation) != '' and not has_same_shape(from_relation, fresh) -%}
            {%- do drop_for_another_shape(from_relation, fresh) -%}
        {%- endif -%}
    {%- elif from_relation.identifier == make_intermediate_relation(to_relation).identifier and kind_of(to_relation) != '' -%}
        {#- dbt may not know of the old one: its cache drops what stands on a relation that it has dropped itself -#}
        {%- set old = to_relation.incorporate(type=kind_of(to_relation)) -%}
        {%- if has_same_shape(old, from_relation) -%}
            {%- do take_content(old, from_relation) -%}
            {%- do run_query("drop " ~ from_relation.type ~ " " ~ from_relation) -%}
        {%- else -%}
            {%- do drop_for_another_shape(old, from_relation) -%}
            {%- do give_name(from_relation, to_relation) -%}
        {%- endif -%}
    {%- else -%}
        {%- do give_name(from_relation, to_relation) -%}
    {%- endif -%}
{%- endmacro %}


{# Rename a table or view whose new name nothing has. #}
{% macro give_name(relation, new) %}
    {%- do run_query("alter " ~ relation.type ~ " " ~ relation ~ " rename to " ~ adapter.quote(new.identifier)) -%}
{% endmacro %}


{# dbt revokes what the project does not grant. What others have granted on a mart stays theirs. #}
{% macro should_revoke(existing_relation, full_refresh_mode=True) %}
    {{ return(false) }}
{% endmacro %}


{# Grant what the project grants and is not granted yet: each grant writes, and changes the relation for all sessions. #}
{% macro postgres__apply_grants(relation, grant_config, should_revoke=true) %}
    {%- set wanted = [] -%}
    {%- for privilege, grantees in (grant_config or {}).items() -%}
        {%- for grantee in grantees -%}
            {%- do wanted.append("('" ~ privilege | upper ~ "', '" ~ grantee ~ "')") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if wanted -%}
        {%- set query -%}
            select wanted.privilege, wanted.grantee
            from (values {{ wanted | join(', ') }}) as wanted (privilege, grantee)
            where not exists (
                select 1
                from pg_class
                cross join lateral aclexplode(pg_class.relacl) as acl
                where
                    pg_class.oid = to_regclass('{{ relation }}')
                    and acl.privilege_type = wanted.privilege
                    and pg_get_userbyid(acl.grantee) = wanted.grantee
            )
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do run_query(get_grant_sql(relation, row[0], [row[1]])) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# What a relation is in the database, `table` or `view`; empty if it is not there, whatever dbt's cache says. #}
{% macro kind_of(relation) %}
    {%- set query -%}
        select case relkind when 'v' then 'view' else 'table' end from pg_class where oid = to_regclass('{{ relation }}')
    {%- endset -%}
    {%- set found = run_query(query).rows -%}
    {{ return(found[0][0] if found else '') }}
{% endmacro %}


{# Whether two relations are of one kind and have the same columns, in order, and the same indexes. #}
{% macro has_same_shape(one, other) %}
    {{ return(run_query("select (" ~ shape(one) ~ ") = (" ~ shape(other) ~ ")").rows[0][0] == true) }}
{% endmacro %}


{#
  A query for the kind, columns and indexes of a relation, as one text; null if it is not there. `declared`: only what a
  contract declares, which is not the kind, and of a view neither lengths nor what may be null.
#}
{% macro shape(relation, declared=false, of_view=false) -%}
    select
        {{ "''" if declared else "pg_class.relkind::text" }} || coalesce(columns.shape, '') || ' ' || coalesce(indexes.shape, '')
    from pg_class
    cross join lateral (
        select
            string_agg(
                {% if of_view -%}
                format('%I %s', attname, format_type(atttypid, null)), ', ' order by attnum
                {%- else -%}
                format('%I %s %s', attname, format_type(atttypid, atttypmod), attnotnull), ', ' order by attnum
                {%- endif %}
            ) as shape
        from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped
    ) as columns
    cross join lateral (
        select string_agg(definition, ', ' order by definition collate "C") as shape
        from (
            select indisunique || substring(pg_get_indexdef(indexrelid) from ' USING .*') as definition
            from pg_index
            where indrelid = pg_class.oid
        ) as definitions
    ) as indexes
    where pg_class.oid = to_regclass('{{ relation }}')
{%- endmacro %}


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
    {%- set upon = views_by_maker(relation) -%}
    {%- if upon.others -%}
        {{ exceptions.raise_compiler_error(
            relation.schema ~ '.' ~ relation.identifier ~ ' gets other columns or indexes, but ' ~ upon.others | join(', ')
            ~ ' stand on it, and would be lost. Nothing was changed. ' ~ keep_definitions()
        ) }}
    {%- endif -%}
    {%- for row in run_query(grants_on(relation)).rows -%}
        {%- do run_query('grant ' ~ row[0] ~ ' on ' ~ fresh ~ ' to ' ~ row[1]) -%}
    {%- endfor -%}
    {#- without cascade: what was not seen above stops it -#}
    {%- for command in upon.drops -%}
        {%- do run_query(command) -%}
    {%- endfor -%}
    {%- do run_query("drop " ~ relation.type ~ " " ~ relation) -%}
{% endmacro %}


{# What a person does whose view stands in the way. #}
{% macro keep_definitions() -%}
    Keep their definitions (select pg_get_viewdef(...)), drop them, build again, and make them anew.
{%- endmacro %}


{# The views upon a relation: commands that drop the project's own ones, and the names of all others. #}
{% macro views_by_maker(relation) %}
    {%- set made = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed') -%}
        {%- do made.append(node.schema ~ '.' ~ node.alias) -%}
    {%- endfor -%}
    {%- set drops, others = [], [] -%}
    {%- for row in run_query(views_upon(relation)).rows -%}
        {%- if row[0] ~ '.' ~ row[1] in made -%}
            {%- do drops.append('drop ' ~ row[2] ~ ' ' ~ adapter.quote(row[0]) ~ '.' ~ adapter.quote(row[1])) -%}
        {%- else -%}
            {%- do others.append(row[0] ~ '.' ~ row[1] ~ ' (of ' ~ row[3] ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({'drops': drops, 'others': others}) }}
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
