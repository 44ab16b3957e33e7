{#
  The log of changes, int_changed_days: which days of a chain loads and prices have changed, each with a number. A model that
  tracks it has a watermark, the greatest number that it has taken in (table model_watermarks).
#}


{#
  A query, without its parentheses, for the days that a log names after one change and up to another, as ranges of days of a
  chain. What the model's meta asks for is taken as well, and the days of another query, `others`.
#}
{% macro ranges_of_days(log, since, up_to, node, others=none) %}
    {%- set meta, archived = node.config.get('meta', {}), archived_months_of(node) %}
    with

    changed as (

        select chain, block_date from {{ logged_days(log) }} as logged where change_id > {{ since }} and change_id <= {{ up_to }}
        {% if others %}union {{ others }}{% endif %}

    ),

    -- a model that reads raw rows keeps what it has of days of which they are only in the archive
    in_raw as (

        select chain, block_date from changed where not {{ is_archived(archived, 'changed') }}

    ),

    -- a row's flags depend on the days beside its own, a window on all days of its lookback
    looked_at as (

        select distinct chain, block_date + days_after as block_date
        from in_raw
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

    )

    select
        islands.chain,
        min(islands.block_date) as first_day,
        {{ "date '9999-12-31'" if meta.get('cumulative', false) else "max(islands.block_date) + 1" }} as stop_day,
        {% set heights = existing('int_chain_days') %}
        {{ "min(heights.first_height)" if heights else "cast(null as bigint)" }} as first_height,
        {{ "max(heights.last_height)" if heights else "cast(null as bigint)" }} as last_height
    from islands
    {% if heights %}left join {{ heights }} as heights on islands.chain = heights.chain and islands.block_date = heights.block_date{% endif %}
    -- hundreds of scattered days become one range per chain: more to rebuild, but a plan of sane size
    group by islands.chain, {{ archived_before(archived, 'islands') }}, case when {{ "false" if meta.get('cumulative', false) else "(select count(*) from days) <= 366" }} then islands.island end
    order by islands.chain, first_day
{% endmacro %}


{# The days of a log: of the log of changes itself, or of loads, whose days int_chain_days takes in before that is made. #}
{% macro logged_days(log) %}
    {%- if log.identifier == 'int_loads_tracked' -%}
    (
        select
            change_id,
            chain,
            cast(generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval '1 day') as date) as block_date
        from {{ log }}
        where table_name = 'blocks' and first_day is not null
        union all
        select change_id, chain, null from {{ log }} where table_name = 'blocks' and first_day is null
    )
    {%- else -%}
    {{ log }}
    {%- endif -%}
{% endmacro %}


{#
  The days that a check looks at again though no load has changed them: the newest, in which a row that was changed behind
  the loader's back would reach the marts next, and those that failed.
#}
{% macro days_to_recheck() %}
    select chain, block_date
    from (
        select chain, block_date, row_number() over (partition by chain order by block_date desc) as age
        from {{ existing('int_chain_days') }}
    ) as aged
    where age <= {{ var('recheck_days', 0) }}
    {% if config.get('meta', {}).get('recheck_failed', false) %}
    union
    select chain, block_date from {{ this }} where result = 'failed'
    {% endif %}
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
                model_name text primary key, change_id bigint not null, applied_at timestamptz not null, previous_change_id bigint,
                applied_by text, tested_change_id bigint
            )"
        ) -%}
        {#- asked first: altering the table waits for every run that is using it -#}
        {%- set held = adapter.get_columns_in_relation(watermarks()) | map(attribute='name') | list -%}
        {%- for column in ['previous_change_id bigint', 'applied_by text', 'tested_change_id bigint'] if column.split()[0] not in held -%}
            {%- do run_query("alter table " ~ watermarks() ~ " add column if not exists " ~ column) -%}
        {%- endfor -%}
        {%- do note_loads() -%}
    {%- endif -%}
{% endmacro %}


{#
  Writes a watermark. The one before stays beside it until something changes again: a test reads what its model took in
  last, however many changes that was, and all of it where the model was built whole.
#}
{% macro write_watermark(model_name, change_id, whole=false) -%}
    insert into {{ watermarks() }} as held (model_name, change_id, applied_at, applied_by)
    values ('{{ model_name }}', {{ change_id }}, now(), '{{ invocation_id }}')
    on conflict (model_name) do update set
        change_id = excluded.change_id,
        applied_at = excluded.applied_at,
        applied_by = excluded.applied_by,
        previous_change_id = {% if whole %}null{% else %}case
            when excluded.change_id <> held.change_id then held.change_id
            else held.previous_change_id
        end{% endif %}{% if whole %},
        tested_change_id = null{% endif %}
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
