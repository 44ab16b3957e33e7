{#
  Which days an incremental model has to rebuild: those that int_changed_days names since the model's last good run.

  The answer stands in the model's SQL as literals, so that PostgreSQL prunes the months of a partitioned table when it
  plans. A model whose meta says `recheck_failed` adds the days on which it holds a failure; with the variable `recheck`
  it takes all days, as does one whose meta says `recheck`. One whose meta says `onward` takes all days from a chain's
  first changed one on, as a sum over all that came before must.

  Returns a dictionary: `everything`, and `ranges`, a list of chain, first_day, stop_day (excluded), first_height and
  last_height (null where no block of those days is known).
#}
{% macro changes() %}
    {%- if execute and (this is none or not is_incremental()) -%}
        {#- a unit test has no `this`, and by this way needs no such inputs -#}
        {{ return({'everything': true, 'ranges': []}) }}
    {%- endif -%}
    {%- set log = ref('int_changed_days') -%}
    {%- set heights = ref('int_chain_days') -%}
    {%- if not execute -%}
        {{ return({'everything': true, 'ranges': []}) }}
    {%- endif -%}
    {%- set rechecks = config.get('meta', {}).get('recheck_failed', false) -%}
    {%- set onward = config.get('meta', {}).get('onward', false) -%}
    {%- set since = watermark(this.identifier) -%}
    {%- set known = run_query("select min(change_id), bool_or(block_date is null and change_id > " ~ (since or 0) ~ ") from " ~ log).rows[0] -%}
    {%- if since is none or known[0] is none or since < known[0] or known[1] or (var('recheck', false) and (rechecks or config.get('meta', {}).get('recheck', false))) -%}
        {{ return({'everything': true, 'ranges': []}) }}
    {%- endif -%}
    {%- set query -%}
        with

        changed as (

            select chain, block_date from {{ log }} where change_id > {{ since }}
            {% if rechecks %}union select chain, block_date from {{ this }} where result = 'failed'{% endif %}

        ),

        days as (

            select distinct chain, block_date from changed

        ),

        islands as (

            select
                chain,
                block_date,
                block_date - cast(row_number() over (partition by chain order by block_date) as integer) as island
            from days

        ),

        ranges as (

            select
                islands.chain,
                min(islands.block_date) as first_day,
                {{ "date '9999-12-31'" if onward else "max(islands.block_date) + 1" }} as stop_day,
                min(heights.first_height) as first_height,
                max(heights.last_height) as last_height
            from islands
            left join {{ heights }} as heights
                on islands.chain = heights.chain and islands.block_date = heights.block_date
            -- hundreds of scattered days become one range per chain: more to rebuild, but a plan of sane size
            group by islands.chain, case when {{ "false" if onward else "(select count(*) from days) <= 366" }} then islands.island end

        )

        select chain, first_day, stop_day, first_height, last_height from ranges order by chain, first_day
    {%- endset -%}
    {%- set ranges = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do ranges.append({'chain': row[0], 'first_day': row[1], 'stop_day': row[2], 'first_height': row[3], 'last_height': row[4]}) -%}
    {%- endfor -%}
    {{ return({'everything': false, 'ranges': ranges}) }}
{% endmacro %}


{#
  The condition that a row is of a day that has to be rebuilt. `column` is a timestamptz, or a date where its name ends
  in `_date`; without `chain` the rows have a column of that name.
#}
{% macro in_changed_days(column, chain=none) -%}
    {%- set changed = changes() -%}
    {%- if changed.everything -%}
    true
    {%- else -%}
    {%- set zone = '' if column.endswith('_date') else ' 00:00:00+00' -%}
    {%- set conditions = [] -%}
    {%- set prefix = column.split('.')[0] ~ '.' if '.' in column else '' -%}
    {%- for span in changed.ranges if chain is none or chain == span.chain -%}
        {%- set of_chain = prefix ~ "chain = '" ~ span.chain ~ "' and " if chain is none else "" -%}
        {%- do conditions.append(
            "(" ~ of_chain ~ column ~ " >= '" ~ span.first_day ~ zone ~ "' and " ~ column ~ " < '" ~ span.stop_day ~ zone ~ "')"
        ) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "false" }})
    {%- endif -%}
{%- endmacro %}


{#
  The condition that a block is of a day that has to be rebuilt, or one of the `reach` blocks below such a one, which a
  column of it may depend on. The rows have the columns chain and block_height. A day's heights need not be contiguous,
  so this takes some blocks more than it has to.
#}
{% macro in_reach_of_changed_days(reach) -%}
    {%- set changed = changes() -%}
    {%- if changed.everything -%}
    true
    {%- else -%}
    {%- set conditions = [] -%}
    {%- for span in changed.ranges if span.first_height is not none -%}
        {%- do conditions.append(
            "(chain = '" ~ span.chain ~ "' and block_height between " ~ (span.first_height - reach) ~ " and " ~ span.last_height ~ ")"
        ) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "false" }})
    {%- endif -%}
{%- endmacro %}


{# The last change that a model has taken in; none if it has to be built whole. #}
{% macro watermark(model_name) %}
    {%- if adapter.get_relation(this.database, watermarks().schema, watermarks().identifier) is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set rows = run_query("select change_id from " ~ watermarks() ~ " where model_name = '" ~ model_name ~ "'").rows -%}
    {{ return(rows[0][0] if rows else none) }}
{% endmacro %}


{# The table of watermarks: one row for each model that follows int_changed_days. #}
{% macro watermarks() %}
    {{ return(ref('int_changed_days').incorporate(path={'identifier': 'model_watermarks'})) }}
{% endmacro %}


{# As a post-hook, in the transaction of a model that follows int_changed_days: that it has taken in all there is. #}
{% macro record_watermark() %}
    {%- if execute and model.config.get('incremental_strategy') == 'changed_days' -%}
    insert into {{ watermarks() }} (model_name, change_id, applied_at)
    select '{{ this.identifier }}', coalesce(max(change_id), 0), now() from {{ ref('int_changed_days') }}
    on conflict (model_name) do update set change_id = excluded.change_id, applied_at = excluded.applied_at
    {%- endif -%}
{% endmacro %}


{# For int_chain_days: the condition that a block is of a day on which blocks were loaded since its last run. #}
{% macro loaded_block_days() -%}
    {%- set loads = ref('int_loads_followed') -%}
    {%- if not execute or not is_incremental() -%}
    true
    {%- else -%}
    {%- set query -%}
        select distinct chain, first_day, last_day + 1 from {{ loads }}
        where table_name = 'blocks' and change_id > (select coalesce(max(change_id), 0) from {{ this }})
        order by 1, 2
    {%- endset -%}
    {%- set conditions = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- if row[1] is none -%}
            {%- do conditions.append("true") -%}
        {%- else -%}
            {%- do conditions.append("(chain = '" ~ row[0] ~ "' and block_time >= '" ~ row[1] ~ " 00:00:00+00' and block_time < '" ~ row[2] ~ " 00:00:00+00')") -%}
        {%- endif -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "false" }})
    {%- endif -%}
{%- endmacro %}


{# The raw tables of a chain that hold rows which no load id leads back to the ledger: those of another loader. #}
{% macro unfollowed_tables() %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == 'blockchair' -%}
            {%- set columns = raw_columns('blockchair', node.name) -%}
            {%- if columns and '_load_id' not in columns -%}
                {%- do found.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}
