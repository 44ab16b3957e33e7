{#
  Which days an incremental model has to rebuild: those that int_changed_days names since the model's last good run.

  The answer stands in the model's SQL as literals, so that PostgreSQL prunes the months of a partitioned table when it
  plans. A model whose meta says `recheck_failed` adds the days on which it holds a failure; both it and one whose meta
  says `recheck` add each chain's newest days, as many as the variable `recheck_days` says, or all with the variable
  `recheck`. One whose meta says `cumulative` takes all days from a chain's first changed one on, as a sum over all that came
  before must. One whose meta says `days_beside` takes the days before and after each changed one too, since blocks beside a
  day tell whether it is whole. One whose meta says `days_after` takes so many days after each of these too, whose windows
  look back at it. One whose meta says `periods` has a row for each ISO week and month, dated by its first day, and
  takes the weeks and months of these days.

  The log is read once for a model. What was read, the newest change and the days, stands in the SQL as a comment, by
  which rows are deleted and the watermark is written: what another run logs meanwhile is left for the next one.

  Returns a dictionary: `everything`; `ranges`, a list of chain, first_day, stop_day (excluded), first_height and
  last_height (null where no block of those days is known); and `note`, the comment.
#}
{% macro changes() %}
    {%- if not execute -%}
        {%- do ref('int_changed_days') -%}
        {%- do ref('int_chain_days') -%}
        {{ return({'everything': true, 'ranges': [], 'note': ''}) }}
    {%- elif this is none -%}
        {#- a unit test has no `this`, and by this way needs no such inputs -#}
        {{ return({'everything': true, 'ranges': [], 'note': ''}) }}
    {%- endif -%}
    {%- if 'changes' not in model -%}
        {%- do model.update({'changes': read_changes()}) -%}
    {%- endif -%}
    {{ return(model.changes) }}
{% endmacro %}


{# The one reading of the log behind changes(). #}
{% macro read_changes() %}
    {%- set log = existing('int_changed_days') -%}
    {%- if log is none -%}
        {{ return({'everything': true, 'ranges': [], 'note': ''}) }}
    {%- endif -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set rechecks = meta.get('recheck_failed', false) -%}
    {%- set since = watermark(this.identifier) if is_incremental() else none -%}
    {%- set query -%}
        select min(change_id), coalesce(max(change_id), 0), bool_or(block_date is null and change_id > {{ since or 0 }}) from {{ log }}
    {%- endset -%}
    {%- set known = run_query(query).rows[0] -%}
    {%- if since is none or known[0] is none or since < known[0] or known[2] or (var('recheck', false) and (rechecks or meta.get('recheck', false))) -%}
        {{ return({'everything': true, 'ranges': [], 'note': changes_note(known[1], 'true')}) }}
    {%- endif -%}
    {%- set again = days_to_recheck(rechecks) if rechecks or meta.get('recheck', false) else none -%}
    {%- set ranges = changed_ranges(log, since, known[1], meta, again) -%}
    {{ return({'everything': false, 'ranges': ranges, 'note': changes_note(known[1], days_condition(ranges, 'block_date'))}) }}
{% endmacro %}


{#
  The days that a check looks at again though no load has changed them: the newest, in which a row that was changed behind
  the loader's back would reach the marts next, and those that failed.
#}
{% macro days_to_recheck(rechecks_failed) %}
    select chain, block_date
    from (
        select chain, block_date, row_number() over (partition by chain order by block_date desc) as age
        from {{ existing('int_chain_days') }}
    ) as aged
    where age <= {{ var('recheck_days', 0) }}
    {% if rechecks_failed %}
    union
    select chain, block_date from {{ this }} where result = 'failed'
    {% endif %}
{% endmacro %}


{# The days that the log names after one change and up to another, and those of another query, as a model's meta takes them, as ranges. #}
{% macro changed_ranges(log, since, up_to, meta, others=none) %}
    {%- set cumulative = meta.get('cumulative', false) -%}
    {%- set query -%}
        with

        changed as (

            select chain, block_date from {{ log }} where change_id > {{ since }} and change_id <= {{ up_to }}
            {% if others %}union {{ others }}{% endif %}

        ),

        -- a row's flags depend on the days beside its own, a window on all days of its lookback
        looked_at as (

            select distinct chain, block_date + days_after as block_date
            from changed
            cross join generate_series(
                {{ -1 if meta.get('days_beside', false) else 0 }}, {{ meta.get('days_after', 0) + (1 if meta.get('days_beside', false) else 0) }}
            ) as days_after

        ),

        days as (

            {% if meta.get('periods', false) %}
            select chain, cast(date_trunc('week', block_date) as date) as block_date from looked_at
            union
            select chain, cast(date_trunc('month', block_date) as date) from looked_at
            {% else %}
            select chain, block_date from looked_at
            {% endif %}

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
                {{ "date '9999-12-31'" if cumulative else "max(islands.block_date) + 1" }} as stop_day,
                min(heights.first_height) as first_height,
                max(heights.last_height) as last_height
            from islands
            left join {{ existing('int_chain_days') }} as heights
                on islands.chain = heights.chain and islands.block_date = heights.block_date
            -- hundreds of scattered days become one range per chain: more to rebuild, but a plan of sane size
            group by islands.chain, case when {{ "false" if cumulative else "(select count(*) from days) <= 366" }} then islands.island end

        )

        select chain, first_day, stop_day, first_height, last_height from ranges order by chain, first_day
    {%- endset -%}
    {%- set ranges = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do ranges.append({'chain': row[0], 'first_day': row[1], 'stop_day': row[2], 'first_height': row[3], 'last_height': row[4]}) -%}
    {%- endfor -%}
    {{ return(ranges) }}
{% endmacro %}


{#
  The condition that a row is of a day that has to be rebuilt, or one of so many days before or after such a one.
  `column` is a timestamptz, or a date where its name ends in `_date`; without `chain` the rows have a column of that name.
#}
{% macro in_changed_days(column, chain=none, before=0, after=0) -%}
    {%- set changed = changes() -%}
    {{ changed.note }}
    {%- if changed.everything -%}
    true
    {%- else -%}
    {{ days_condition(changed.ranges, column, chain, before, after) }}
    {%- endif -%}
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


{# What a model has read of the log, for its SQL, and how to find it there: the newest change and the days to delete. #}
{% macro changes_note(up_to, days) -%}
    {{ return("/* changed days up to change " ~ up_to ~ ": " ~ days ~ " */ ") }}
{%- endmacro %}

{% macro noted_changes() %}
    {%- if not execute -%}
        {{ return({}) }}
    {%- endif -%}
    {%- set found = modules.re.search("/\\* changed days up to change (\\d+): (.*?) \\*/", model.compiled_code) -%}
    {%- if found is none -%}
        {{ exceptions.raise_compiler_error(model.name ~ " tracks changed days and asks nowhere which they are; use in_changed_days().") }}
    {%- endif -%}
    {{ return({'up_to': found.group(1) | int, 'days': found.group(2)}) }}
{% endmacro %}


{#
  The condition that a block is of a day that has to be rebuilt, or one of the `lookback` blocks below such a one, which a
  column of it may depend on. The rows have the columns chain and block_height. A day's heights need not be contiguous,
  so this takes some blocks more than it has to.
#}
{% macro in_lookback_of_changed_days(lookback) -%}
    {%- set changed = changes() -%}
    {{ changed.note }}
    {%- if changed.everything -%}
    true
    {%- else -%}
    {%- set conditions = [] -%}
    {%- for span in changed.ranges if span.first_height is not none -%}
        {%- do conditions.append(
            "(chain = '" ~ span.chain ~ "' and block_height between " ~ (span.first_height - lookback) ~ " and " ~ span.last_height ~ ")"
        ) -%}
    {%- endfor -%}
    ({{ conditions | join(" or ") or "false" }})
    {%- endif -%}
{%- endmacro %}


{# The last change that a model has taken in; none if it has to be built whole. #}
{% macro watermark(model_name) %}
    {%- set rows = run_query("select change_id from " ~ watermarks() ~ " where model_name = '" ~ model_name ~ "'").rows -%}
    {{ return(rows[0][0] if rows else none) }}
{% endmacro %}


{# The table of watermarks: one row for each model that tracks int_changed_days, and for each log that it is made of. #}
{% macro watermarks() %}
    {%- for node in (graph.nodes.values() if execute else []) if node.resource_type == 'model' and node.name == 'int_changed_days' -%}
        {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier='model_watermarks', type='table')) }}
    {%- endfor -%}
{% endmacro %}


{# As an on-run-start hook: the table, also where an older release has made it. #}
{% macro prepare_watermarks() %}
    {%- if execute and adapter.check_schema_exists(watermarks().database, watermarks().schema) -%}
        {%- do run_query(
            "create table if not exists " ~ watermarks() ~ " (
                model_name text primary key, change_id bigint not null, applied_at timestamptz not null, previous_change_id bigint
            )"
        ) -%}
        {#- asked first: altering the table waits for every run that is using it -#}
        {%- if 'previous_change_id' not in adapter.get_columns_in_relation(watermarks()) | map(attribute='name') -%}
            {%- do run_query("alter table " ~ watermarks() ~ " add column if not exists previous_change_id bigint") -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# As a post-hook, in the transaction of a model that tracks int_changed_days: that it has taken in what it read. #}
{% macro record_watermark() %}
    {%- if execute and model.config.get('incremental_strategy') in ['changed_days', 'changed_keys'] -%}
    {%- set noted = noted_changes() -%}
    {{ write_watermark(this.identifier, noted.up_to, whole=(noted.days == 'true')) }}
    {%- endif -%}
{% endmacro %}


{#
  Writes a watermark. The one before stays beside it until something changes again: a test reads what its model took in
  last, however many changes that was, and all of it where the model was built whole.
#}
{% macro write_watermark(model_name, change_id, whole=false) -%}
    insert into {{ watermarks() }} as held (model_name, change_id, applied_at)
    values ('{{ model_name }}', {{ change_id }}, now())
    on conflict (model_name) do update set
        change_id = excluded.change_id,
        applied_at = excluded.applied_at,
        previous_change_id = {% if whole %}null{% else %}case
            when excluded.change_id <> held.change_id then held.change_id
            else held.previous_change_id
        end{% endif %}
{%- endmacro %}


{#
  As a pre-hook of the models that make the log: until its transaction ends, no other run writes any of them. So numbers
  become visible in the order in which they were given, and whoever has read up to one has read all below it. The mode
  of the lock conflicts with itself, but with no reading or writing of watermarks; readers of the marts have no right to
  the table.
#}
{% macro one_at_a_time() -%}
    lock table {{ watermarks() }} in share update exclusive mode
{%- endmacro %}


{# The next number in the logs, the same for all rows of a statement. #}
{% macro next_change_id() -%}
    (select nextval('{{ this.schema }}.change_id'))
{%- endmacro %}


{# For int_changed_days: up to where it has taken in another log; an old warehouse knows only its own newest number. #}
{% macro logged_up_to(log) -%}
    {%- if execute and is_incremental() -%}
    coalesce((select change_id from {{ watermarks() }} where model_name = '{{ log }}'), (select max(change_id) from {{ this }}), 0)
    {%- else -%}
    0
    {%- endif -%}
{%- endmacro %}


{# For int_changed_days: the newest load whose blocks' heights are in int_chain_days. #}
{% macro heights_up_to() -%}
    {%- if execute and this is not none -%}
    (select change_id from {{ watermarks() }} where model_name = 'int_chain_days')
    {%- else -%}
    {{ 2 ** 62 }}
    {%- endif -%}
{%- endmacro %}


{# As a post-hook of int_changed_days, still alone with the logs: what it has taken in of each. #}
{% macro write_log_watermarks() -%}
    {%- if execute -%}
    {{ write_watermark('int_loads_tracked', heights_up_to()) }};
    {{ write_watermark('int_price_changes', "(select coalesce(max(change_id), 0) from " ~ existing('int_price_changes') ~ ")") }}
    {%- endif -%}
{%- endmacro %}


{#
  For int_chain_days: `condition`, that a block is of a day on which blocks were loaded since its last run, and `up_to`,
  the newest load that this takes in.
#}
{% macro loaded_block_days() -%}
    {%- set loads = ref('int_loads_tracked') -%}
    {%- if not execute or existing('int_loads_tracked') is none -%}
        {{ return({'condition': 'true', 'up_to': 'null'}) }}
    {%- endif -%}
    {%- set up_to = run_query("select coalesce(max(change_id), 0) from " ~ loads).rows[0][0] -%}
    {%- if not is_incremental() -%}
        {{ return({'condition': changes_note(up_to, 'true') ~ 'true', 'up_to': up_to}) }}
    {%- endif -%}
    {%- set query -%}
        select distinct chain, first_day, last_day + 1 from {{ loads }}
        where
            table_name = 'blocks'
            and change_id > (select coalesce(max(change_id), 0) from {{ this }})
            and change_id <= {{ up_to }}
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
    {%- set days = "(" ~ (conditions | join(" or ") or "false") ~ ")" -%}
    {{ return({'condition': changes_note(up_to, days) ~ days, 'up_to': up_to}) }}
{%- endmacro %}


{# The raw tables of a chain that hold rows which no load id leads back to the ledger: those of another loader. #}
{% macro untracked_tables() %}
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
