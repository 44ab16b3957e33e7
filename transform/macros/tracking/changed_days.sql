{#
  The materialization `changed_days`: a table that grows with the chain and rebuilds the days that the log of changes
  (int_changed_days) names since the table's last good run. In one transaction it

  1. locks the table, so that of two runs at once the second waits, and then reads what the first has left;
  2. reads the changed days, once, by changes_query();
  3. renders the model's SQL, in which in_changed_days() and its kin write these days as literals, so that PostgreSQL
     prunes what lies outside of them when it plans. Where dbt only compiles they write `true`: the rebuild of all days;
  4. deletes the rows of these days and inserts those that the SQL gives. A row that is gone from its day goes, whatever
     its key. Of a table that meta `partition_by` cuts by day and month, days that are new come as partitions of their
     own (macros/tracking/partitions.sql);
  5. renews the statistics of what it has written, and writes the newest change it has read as the table's watermark.

  Rows have the columns chain and block_date, or the date that meta `day_column` names. A table with one row per thing,
  such as an address, has `unique_key` and meta `day_columns`, its dates: its SQL gives the rows of all things that a changed
  day names, and of those that name one; the rows of both are deleted before. docs/concepts/incremental-models.md lists meta.
#}
{% materialization changed_days, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set is_new = existing_relation is none or should_full_refresh() or not is_cut_as_asked(existing_relation) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing_relation is not none -%}
        {%- call statement('lock') -%} lock table {{ target_relation }} in share row exclusive mode {%- endcall -%}
    {%- endif -%}
    {%- call statement('changes', fetch_result=True) -%} {{ changes_query(is_new) }} {%- endcall -%}
    {%- do refuse_to_lose_archived_months([model.unique_id]) if changes().everything -%}
    {%- set select = render(model.raw_code) -%}
    {%- if not (is_new or changes().everything or changes().ranges) and has_columns_of(target_relation, select) -%}
        {%- call statement('main') -%} select 'no day has changed' as result {%- endcall -%}
    {%- elif meta.get('partition_by') -%}
        {%- do write_partitions(target_relation, existing_relation, select, meta.partition_by) -%}
    {%- elif is_new -%}
        {%- do replace_table(target_relation, existing_relation, select) -%}
    {%- else -%}
        {%- do replace_days(target_relation, select) -%}
    {%- endif -%}
    {%- do run_query(write_watermark(this.identifier, changes().up_to, changes().everything)) if changes().up_to is not none -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, is_new)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do write(select) -%} {#- target/run has the days that were rebuilt; target/compiled has all -#}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Fill a table that is new, or one beside it that takes its place (macros/keep_relations.sql). #}
{% macro replace_table(target_relation, existing_relation, select) %}
    {%- set fresh = target_relation if existing_relation is none else make_intermediate_relation(target_relation) -%}
    {%- do run_query("drop table if exists " ~ fresh) if existing_relation is not none -%}
    {%- call statement('main') -%} {{ get_create_table_as_sql(False, fresh, select) }} {%- endcall -%}
    {%- do create_indexes(fresh) -%}
    {%- if existing_relation is not none -%}
        {%- set backup = make_backup_relation(target_relation, 'table') -%}
        {%- do adapter.rename_relation(target_relation, backup) -%}
        {%- do adapter.rename_relation(fresh, target_relation) -%}
        {%- do adapter.drop_relation(backup) -%}
    {%- endif -%}
    {%- do run_query("analyze " ~ target_relation) -%}
{% endmacro %}


{# Delete the rows of the changed days, or of the things that they name, and insert the new ones. #}
{% macro replace_days(target_relation, select) %}
    {%- set fresh = make_temp_relation(target_relation) -%}
    {%- call statement('main') -%} {{ get_create_table_as_sql(True, fresh, select) }} {%- endcall -%}
    {%- do process_schema_changes(config.get('on_schema_change'), fresh, target_relation) -%}
    {%- set key, days = config.get('unique_key'), config.get('meta', {}).get('day_column', 'block_date') -%}
    {%- do run_query("analyze " ~ fresh) if key -%}
    {%- do run_query("delete from " ~ target_relation ~ " where " ~ (names_changed_days() if key else in_changed_days(days))) -%}
    {#- not by `or` above, which no index serves -#}
    {%- do run_query("delete from " ~ target_relation ~ " where " ~ key ~ " in (select " ~ key ~ " from " ~ fresh ~ ")") if key -%}
    {%- set columns = get_quoted_csv(adapter.get_columns_in_relation(target_relation) | map(attribute='name')) -%}
    {%- do run_query("insert into " ~ target_relation ~ " (" ~ columns ~ ") select " ~ columns ~ " from " ~ fresh) -%}
    {%- do run_query("analyze " ~ target_relation) -%}
    {%- do run_query("drop table " ~ fresh) -%}
{% endmacro %}


{#
  A query for the days that the model has to rebuild: one row, at least, with the newest change in the log (null where
  there is no log), whether all days are to be rebuilt, and else a range of days: chain, first_day, stop_day (excluded),
  and the lowest and highest height that its days ever had. `since` is null where the table is built whole.
#}
{% macro changes_query(is_new=false) %}
    {%- set log = existing(config.get('meta', {}).get('log', 'int_changed_days')) -%}
    {%- if log is none -%}
        select null::bigint as up_to, true as everything, null as chain
    {%- else -%}
        {%- set meta = config.get('meta', {}) -%}
        {%- set rechecks = meta.get('recheck', false) or meta.get('recheck_failed', false) -%}
        {%- set all_again = is_new or (rechecks and var('recheck', false)) -%}
        with

        taken as (

            select
                (select coalesce(max(change_id), 0) from {{ log }}) as up_to,
                {% if all_again %}null::bigint{% else %}(
                    -- what has left the log, or names no day, may have been of any day
                    select change_id from {{ watermarks() }} as held
                    where
                        model_name = '{{ this.identifier }}'
                        and change_id >= (select min(change_id) from {{ log }})
                        and not exists (
                            select 1 from {{ logged_days(log) }} as logged where logged.block_date is null and logged.change_id > held.change_id
                        )
                ){% endif %} as since

        ),

        ranges as (

            {{ ranges_of_days(log, '(select since from taken)', '(select up_to from taken)', graph.nodes[model.unique_id], days_to_recheck() if rechecks and not is_new) }}

        )

        select taken.up_to, taken.since is null as everything, ranges.*
        from taken
        left join ranges on taken.since is not null
        order by ranges.chain, ranges.first_day
    {%- endif -%}
{% endmacro %}


{# What changes_query() found for the model that is being built; all days for one that is not, or whose log is not there. #}
{% macro changes() %}
    {%- set found = load_result('changes') if execute else none -%}
    {%- if found is none -%}
        {{ return({'up_to': none, 'everything': true, 'ranges': []}) }}
    {%- endif -%}
    {%- do store_result('changes', found.response, found.table) -%} {#- a result can be loaded once -#}
    {%- set rows = found.table.rows -%}
    {{ return({
        'up_to': rows[0].up_to, 'everything': rows[0].everything, 'ranges': rows if rows[0].chain is not none and not rows[0].everything else []
    }) }}
{% endmacro %}


{#
  The condition that a row is of a day that has to be rebuilt, or one of so many days before or after such a one.
  `column` is a timestamptz, or a date where its name ends in `_date`; without `chain` the rows have a column of that name.
  `log` is another log than int_changed_days, as meta `log` names it.
#}
{% macro in_changed_days(column, chain=none, before=0, after=0, log=none) -%}
    {%- for name in ([log] if log else ['int_changed_days', 'int_chain_days']) if not execute -%}
        {%- do ref(name) -%}
    {%- endfor -%}
    {{- "true" if changes().everything else days_condition(changes().ranges, column, chain, before, after) -}}
{%- endmacro %}


{# The condition that a row is of a day in one of the ranges, or of so many days before or after it. #}
{% macro days_condition(ranges, column, chain=none, before=0, after=0) -%}
    {%- set zone = '' if column.endswith('_date') else ' 00:00:00+00' -%}
    {%- set conditions = [] -%}
    {%- set prefix = column.split('.')[0] ~ '.' if '.' in column else '' -%}
    {%- for span in ranges if chain is none or chain == span.chain -%}
        {%- set of_chain = prefix ~ "chain = '" ~ span.chain ~ "' and " if chain is none else "" -%}
        {#- a range that is open has no day after it -#}
        {%- set first_day = span.first_day - modules.datetime.timedelta(days=before) -%}
        {%- set stop_day = span.stop_day + modules.datetime.timedelta(days=after) if span.stop_day.year < 9999 else span.stop_day -%}
        {%- do conditions.append(
            "(" ~ of_chain ~ column ~ " >= '" ~ first_day ~ zone ~ "' and " ~ column ~ " < '" ~ stop_day ~ zone ~ "')"
        ) -%}
    {%- endfor -%}
    {{ return("(" ~ (conditions | join(" or ") or "false") ~ ")") }}
{%- endmacro %}


{#
  The condition that a block is of a day that has to be rebuilt, or one of the `lookback` blocks below such a one, which a
  column of it may depend on. The rows have the columns chain and block_height. A day's heights need not be contiguous,
  so this takes some blocks more than it has to.
#}
{% macro in_lookback_of_changed_days(lookback) -%}
    {%- do in_changed_days('block_date') if not execute -%}
    {%- set conditions = [] -%}
    {%- for span in changes().ranges if span.first_height is not none -%}
        {%- do conditions.append(
            "(chain = '" ~ span.chain ~ "' and block_height between " ~ (span.first_height - lookback) ~ " and " ~ span.last_height ~ ")"
        ) -%}
    {%- endfor -%}
    {{- "true" if changes().everything else "(" ~ (conditions | join(" or ") or "false") ~ ")" -}}
{%- endmacro %}


{# The condition that a row of a table with one row per thing names a day that has to be rebuilt. #}
{% macro names_changed_days() -%}
    {%- set conditions = [] -%}
    {%- for column in config.get('meta', {}).get('day_columns', []) -%}
        {%- do conditions.append(in_changed_days(column)) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "true" }})
{%- endmacro %}
