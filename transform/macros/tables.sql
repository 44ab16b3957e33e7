{#
  The materialization `table`, for a model with a contract whose table is there as the contract declares it: in one
  transaction its rows go and those of the model's SQL come. dbt would make a second table, with indexes of its own, from which
  macros/keep_relations.sql would then take the rows. Any other table is made in that way.

  Who has begun to read goes on, and nobody ever finds the table empty. Of two builds at once the second waits, and then
  deletes what the first has inserted.
#}
{% materialization table, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- if load_cached_relation(this) is none or not stands_as_declared(model, target_relation) -%}
        {{ return(dbt.materialization_table_default()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {{ get_assert_columns_equivalent(sql) }}
    {%- call statement('main') -%}
        lock table {{ target_relation }} in share row exclusive mode;
        delete from {{ target_relation }};
        insert into {{ target_relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
        {{ get_select_subquery(sql) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=false) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Whether a table is there with the columns and indexes that its model's contract declares; false for what is not read here. #}
{% macro stands_as_declared(node, relation) %}
    {%- if not node.config.contract.enforced -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set query -%}
        select count(*) = 1
        from pg_class
        where oid = to_regclass('{{ relation }}') and relkind = 'r' and ({{ shape(relation, declared=true) }}) = '{{ declared_shape(node) }}'
    {%- endset -%}
    {{ return(run_query(query).rows[0][0] == true) }}
{% endmacro %}


{# What shape() says of a table that is as a model's contract declares it. #}
{% macro declared_shape(node) -%}
    {%- set names = {
        'timestamptz': 'timestamp with time zone', 'timestamp': 'timestamp without time zone', 'time': 'time without time zone',
    } -%}
    {%- set columns, indexes = [], [] -%}
    {%- for column in node.columns.values() -%}
        {%- set held = column.constraints | map(attribute='type') | list -%}
        {%- set never_null = 'not_null' in held or 'primary_key' in held -%}
        {%- do columns.append(column.name ~ ' ' ~ names.get(column.data_type, column.data_type) ~ (' t' if never_null else ' f')) -%}
        {%- do indexes.append('true USING btree (' ~ column.name ~ ')') if 'primary_key' in held -%}
    {%- endfor -%}
    {%- for index in node.config.indexes or [] -%}
        {%- do indexes.append(
            ('true' if index.unique else 'false') ~ ' USING ' ~ (index.type or 'btree') ~ ' (' ~ index.columns | join(', ') ~ ')'
        ) -%}
    {%- endfor -%}
    {{- columns | join(', ') ~ ' ' ~ indexes | sort(case_sensitive=true) | join(', ') -}}
{%- endmacro %}


{# Whether a table has the columns that SQL gives, whatever their order. #}
{% macro has_columns_of(relation, select) %}
    {%- set given = get_column_schema_from_query(select) | map(attribute='name') | sort -%}
    {{ return(given == adapter.get_columns_in_relation(relation) | map(attribute='name') | sort) }}
{% endmacro %}
