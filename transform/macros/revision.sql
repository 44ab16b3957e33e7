{#
  An upgrade brings a warehouse from one revision to the next; `warehouse migrate` does it (plugins/warehouse). The table
  warehouse_revision says of which revision the built tables are; one without a row is older than the first. The variable
  warehouse_revision says which one this release builds, and `migrating`, which that command sets, that it is at work.

  As an on-run-start hook: a warehouse of another revision ends the run before anything is built. One in which nothing was
  built yet gets this release's.
#}
{% macro require_revision() %}
    {%- if execute and adapter.check_schema_exists(watermarks().database, watermarks().schema) -%}
        {%- set mark = watermarks().incorporate(path={'identifier': 'warehouse_revision'}) -%}
        {%- set wanted = var('warehouse_revision') -%}
        {%- set is_first = run_query(built_relations(mark)).rows | length == 0 -%}
        {%- if kind_of(mark) == '' and (is_first or var('migrating', 0) == wanted) -%}
            {%- do run_query(
                "create table if not exists " ~ mark ~ " (revision integer not null, marked_at timestamptz not null default now());"
                "create unique index if not exists warehouse_revision_is_one_row on " ~ mark ~ " ((true))"
            ) -%}
        {%- endif -%}
        {%- if is_first -%}
            {%- do run_query("insert into " ~ mark ~ " (revision) values (" ~ wanted ~ ") on conflict do nothing") -%}
        {%- endif -%}
        {%- set rows = run_query("select revision from " ~ mark).rows if kind_of(mark) != '' else [] -%}
        {%- set found = rows[0][0] | int if rows else 0 -%}
        {%- if found > wanted -%}
            {{ exceptions.raise_compiler_error(
                "A newer release has filled this warehouse (revision " ~ found ~ ", and this one builds " ~ wanted ~ "): build with that "
                "one. Nothing was built."
            ) }}
        {%- elif found < wanted and var('migrating', 0) != wanted -%}
            {{ exceptions.raise_compiler_error(
                "An older release has filled this warehouse: run `meltano invoke warehouse:migrate` once, which brings it to this one. "
                "Nothing was built."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# Whether anything was built: a row for the first table or view that is not for dbt's own notes. #}
{% macro built_relations(mark) %}
    select 1 as is_built
    from pg_class
    where
        relnamespace::regnamespace::text in ('{{ mark.schema }}', 'analytics')
        and relkind in ('r', 'p', 'v', 'm')
        and relname not in ('{{ mark.identifier }}', '{{ watermarks().identifier }}')
    limit 1
{% endmacro %}


{#
  As a pre-hook, in the transaction of a model that is cut by month: while a warehouse is migrated, its table gives way to
  an empty one where this release has other columns or indexes. The model then fills it, before anybody sees it empty.
#}
{% macro remake_partitioned_table() %}
    {%- if execute and var('migrating', 0) and config.get('meta', {}).get('partition_by') and differs_from_contract(model, this) -%}
        {%- set upon = views_by_maker(this) -%}
        {{ upon.drops | join('; ') ~ ';' if upon.drops }}
        {%- set grants = run_query(grants_on(this)).rows -%}
        {#- without cascade: a view of somebody else stops it -#}
        drop table {{ this }};
        {{ partitioned_table_ddl(model, this) }}
        {%- for row in grants %}
        grant {{ row[0] }} on {{ this }} to {{ row[1] }};
        {%- endfor %}
    {%- endif -%}
{% endmacro %}


{# Whether a table or view is there and has other columns or indexes than its model's contract says. #}
{% macro differs_from_contract(node, relation) %}
    {%- if kind_of(relation) == '' -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set declared = 'contract_of_' ~ node.alias -%}
    {%- do run_query(
        "create temporary table " ~ declared ~ " (" ~ contract_columns(node) ~ ");"
        ~ ("" if node.config.materialized == 'view' else contract_indexes(node, declared))
    ) -%}
    {%- set of_view = node.config.materialized == 'view' -%}
    {%- set query = "select (" ~ shape(relation, true, of_view) ~ ") = (" ~ shape('pg_temp.' ~ declared, true, of_view) ~ ")" -%}
    {%- set is_same = run_query(query).rows[0][0] -%}
    {%- do run_query("drop table pg_temp." ~ declared) -%}
    {{ return(not is_same) }}
{% endmacro %}


{#
  As an operation: print which marts an upgrade gives other columns or indexes, and fail where a view of somebody else
  stands on one of them. It changes nothing.
#}
{% macro plan_migration() %}
    {%- set blocked = [] -%}
    {%- for node in graph.nodes.values() | sort(attribute='name') if node.resource_type == 'model' and node.config.contract.enforced -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- if kind_of(relation) == '' -%}
            {%- do print("new: " ~ node.schema ~ "." ~ node.alias) -%}
        {%- elif differs_from_contract(node, relation) -%}
            {%- do print("other columns or indexes: " ~ node.schema ~ "." ~ node.alias) -%}
            {%- set others = views_by_maker(relation).others -%}
            {%- do blocked.append(node.schema ~ "." ~ node.alias ~ ": " ~ others | join(", ")) if others -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if blocked -%}
        {{ exceptions.raise_compiler_error(
            "This release gives marts other columns or indexes on which views of others stand, and these would be lost: "
            ~ blocked | join("; ") ~ ". Nothing was changed. " ~ keep_definitions()
        ) }}
    {%- endif -%}
{% endmacro %}


{#
  As an on-run-end hook: drop what an older release has made and no model makes any more, once nothing stands on it. A view
  of somebody else keeps it.
#}
{% macro drop_former_relations() %}
    {%- set former = ['assets', 'subsidies'] -%}
    {%- for chain in ['bitcoin', 'dogecoin'] -%}
        {%- for table in ['blocks', 'transactions', 'outputs', 'inputs', 'stats', 'addresses'] -%}
            {%- do former.append('stg_blockchair__' ~ chain ~ '_' ~ table) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set query -%}
        select relname, case relkind when 'v' then 'view' else 'table' end as kind
        from pg_class
        where relnamespace = to_regnamespace('{{ generate_schema_name('staging', none) }}') and relname in ('{{ former | join("', '") }}')
    {%- endset -%}
    {%- for row in (run_query(query).rows if execute else []) -%}
        {%- set relation = api.Relation.create(database=target.database, schema=generate_schema_name('staging', none), identifier=row[0]) -%}
        {%- if not run_query(views_upon(relation)).rows -%}
            {%- do run_query("drop " ~ row[1] ~ " " ~ relation) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#
  As an on-run-start hook: a table of an older release keeps its rows under the name that it has now. The log of loads would
  else begin anew, and every day be rebuilt.
#}
{% macro rename_former_tables() %}
    {%- if execute and adapter.check_schema_exists(watermarks().database, watermarks().schema) -%}
        {%- for former, name in [('int_loads_followed', 'int_loads_tracked')] -%}
            {%- set old = watermarks().incorporate(path={'identifier': former}) -%}
            {%- set new = watermarks().incorporate(path={'identifier': name}) -%}
            {%- if kind_of(old) == 'table' and kind_of(new) == '' -%}
                {%- do run_query("update " ~ watermarks() ~ " set model_name = '" ~ name ~ "' where model_name = '" ~ former ~ "'") -%}
                {%- do adapter.rename_relation(old, new) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
