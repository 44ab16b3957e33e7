{#
  The materialization of a data test, whose failing rows are kept in a table of `dq`. dbt makes this table anew for each test
  of each build and then counts its rows; here the rows are counted first, and where there are none, a table that is there
  is emptied. Only a test that fails, or has no table yet, makes one.
#}
{% materialization test, adapter='postgres' %}
    {%- set failing = get_limit_subquery_sql(sql, config.get('limit')) -%}
    {%- set fail_calc, warn_if, error_if = config.get('fail_calc'), config.get('warn_if'), config.get('error_if') -%}
    {%- call statement('main', fetch_result=True) -%} {{ get_test_sql(failing, fail_calc, warn_if, error_if, limit=none) }} {%- endcall -%}
    {%- if not should_store_failures() -%}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- set kept = api.Relation.create(database=database, schema=schema, identifier=model.alias, type='table') -%}
    {%- set old = load_cached_relation(kept) -%}
    {%- if old is not none and fail_calc == 'count(*)' and load_result('main').table.rows[0][0] == 0 -%}
        {%- do run_query("delete from " ~ kept) -%}
    {%- else -%}
        {%- do adapter.drop_relation(old) if old is not none -%}
        {%- call statement() -%} {{ get_create_table_as_sql(False, kept, failing) }} {%- endcall -%}
        {%- set found = "select * from " ~ kept -%}
        {%- call statement('main', fetch_result=True) -%} {{ get_test_sql(found, fail_calc, warn_if, error_if, limit=none) }} {%- endcall -%}
    {%- endif -%}
    {%- do adapter.commit() -%}
    {{ return({'relations': [kept]}) }}
{% endmaterialization %}
