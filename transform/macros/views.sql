{#
  The materialization `view`. A view that a build has made of the same SQL, and that nobody has changed since, stays as it
  is; that is one query. Any other is made beside the old one and takes its place (macros/keep_relations.sql).

  The comment on a view's rule says of which SQL it was made and how PostgreSQL wrote it down then, both as MD5. It goes
  with the view, so a view that was dropped, with a table that it stands on too, is made again.
#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set made_of = local_md5(sql ~ tojson(model.columns.values() | map(attribute='data_type', default='') | list)) -%}
    {%- call statement('main', fetch_result=True) -%} {{ view_made_of(target_relation, made_of) }} {%- endcall -%}
    {%- if not load_result('main').table.rows -%}
        {%- set fresh = make_intermediate_relation(target_relation) -%}
        {%- do run_query("drop view if exists " ~ fresh) -%}
        {%- call statement('main') -%} {{ get_create_view_as_sql(fresh, sql) }} {%- endcall -%}
        {%- if existing_relation is not none -%}
            {%- do adapter.rename_relation(existing_relation, make_backup_relation(target_relation, existing_relation.type)) -%}
        {%- endif -%}
        {%- do adapter.rename_relation(fresh, target_relation) -%}
        {%- do run_query(say_made_of(target_relation, made_of)) -%}
    {%- endif -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# A query with one row if a view is there, was made of SQL with this MD5, and is still as it was made. #}
{% macro view_made_of(relation, made_of) %}
    select 1 as stands
    from pg_rewrite
    inner join pg_description on pg_rewrite.oid = pg_description.objoid and pg_description.classoid = 'pg_rewrite'::regclass
    where
        pg_rewrite.ev_class = to_regclass('{{ relation }}')
        and pg_rewrite.rulename = '_RETURN'
        and pg_description.description = '{{ made_of }} ' || md5(pg_get_viewdef(pg_rewrite.ev_class))
{% endmacro %}


{# Write of what a view was made. #}
{% macro say_made_of(relation, made_of) %}
    do $made$ begin
        execute format(
            'comment on rule "_RETURN" on %s is %L',
            '{{ relation }}', '{{ made_of }} ' || md5(pg_get_viewdef(to_regclass('{{ relation }}')))
        );
    end $made$
{% endmacro %}
