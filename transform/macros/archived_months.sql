{#
  Months whose raw rows are only in dump files (`warehouse retain`): raw_data.archived_months lists them. Marts keep the rows
  that they were built of. So a model that reads these raw rows does not rebuild a day of such a month, whatever changes
  (macros/tracking/change_log.sql), and one that would be rebuilt whole is refused, with the command that brings them back.

  A month counts as archived until all of its rows are back: while a restore loads it, raw tables have a part of them.
#}

{# The table of archived months; none where no month was ever archived. #}
{% macro archived_months() %}
    {%- for node in (graph.sources.values() if execute else []) if node.source_name == 'loader' and node.name == 'archived_months' -%}
        {%- set archived = api.Relation.create(database=node.database, schema=node.schema, identifier=node.identifier) -%}
        {{ return(archived if kind_of(archived) != '' else none) }}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{#
  The same table for a model that reads raw rows which `warehouse retain` drops; none for any other, which can rebuild any day.
  One that sums up earlier days from such rows cannot be built without them, whatever its days.
#}
{% macro archived_months_of(node) %}
    {%- set archived = archived_months() -%}
    {%- if archived is none or not reads_archived_rows(node) -%}
        {{ return(none) }}
    {%- elif node.config.meta.get('cumulative', false) and not var('forget_archived_months', false) -%}
        {%- do refuse_to_lose_archived_months([node.unique_id]) -%}
    {%- endif -%}
    {{ return(archived) }}
{% endmacro %}


{# The condition that a row's chain and block_date are of an archived month. #}
{% macro is_archived(archived, rows) -%}
    {%- if archived is none -%}
        false
    {%- else -%}
        exists (
            select 1 from {{ archived }} as archived
            where archived.chain = {{ rows }}.chain and archived.month = cast(date_trunc('month', {{ rows }}.block_date) as date)
        )
    {%- endif -%}
{%- endmacro %}


{# How many archived months of its chain are before a row's day: a range of days with one number spans none of them. #}
{% macro archived_before(archived, rows) -%}
    {%- if archived is none -%}
        cast(0 as bigint)
    {%- else -%}
        (
            select count(distinct archived.month) from {{ archived }} as archived
            where archived.chain = {{ rows }}.chain and archived.month < {{ rows }}.block_date
        )
    {%- endif -%}
{%- endmacro %}


{#
  Stop a table that would be built whole, in its materialization, or as an on-run-start hook a full refresh before its first
  table, where raw rows of archived months would be missing from it. `--forget-months` of `warehouse migrate` goes on.
#}
{% macro refuse_to_lose_archived_months(unique_ids) %}
    {%- if execute and unique_ids and not var('forget_archived_months', false) and archived_months() is not none -%}
        {%- set losing = tables_of_archived_rows(unique_ids) -%}
        {%- set months = run_query(
            "select distinct to_char(month, 'YYYY-MM') as month from " ~ archived_months() ~ " order by 1"
        ).columns[0].values() if losing else [] -%}
        {%- if months -%}
            {{ exceptions.raise_compiler_error(
                "Raw rows of " ~ months | join(', ') ~ " are only in the archive, and a rebuild of all days of " ~ losing[:3] | join(', ')
                ~ (' and ' ~ (losing | length - 3) ~ ' more tables' if losing | length > 3 else '') ~ " would lose them. The tables were kept as "
                "they were. Bring the months back first: `warehouse retain --restore " ~ months[0] ~ " --archive FOLDER`, likewise each other one."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# What a full refresh will build; nothing for another run. #}
{% macro full_refresh_of() %}
    {{ return(selected_resources if flags.FULL_REFRESH and flags.WHICH in ('build', 'run') else []) }}
{% endmacro %}


{# The names of those nodes that are tables of days made of raw tables which `warehouse retain` drops, or the log of days. #}
{% macro tables_of_archived_rows(unique_ids) %}
    {%- set names = [] -%}
    {%- for unique_id in unique_ids -%}
        {%- set node = graph.nodes.get(unique_id) -%}
        {%- if node and node.resource_type == 'model' and node.config.materialized in ('changed_days', 'incremental', 'table') -%}
            {%- if node.name in ('int_loads_tracked', 'int_changed_days') or reads_archived_rows(node) -%}
                {%- do names.append(node.name) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(names | sort) }}
{% endmacro %}


{#
  Whether a model reads, itself or through views, a raw table that `warehouse retain` drops months of. One that reads it for
  the text of a message alone says so (meta `reads_raw_for_text`): its days can be rebuilt without these rows.
#}
{% macro reads_archived_rows(node) %}
    {%- if node.config.meta.get('reads_raw_for_text') -%}
        {{ return(false) }}
    {%- endif -%}
    {%- for unique_id in node.depends_on.nodes -%}
        {%- set source, other = graph.sources.get(unique_id), graph.nodes.get(unique_id) -%}
        {%- if source and source.source_name == 'blockchair' and source.name.endswith(('_transactions', '_outputs', '_inputs', '_calls')) -%}
            {{ return(true) }}
        {%- elif other and other.config.materialized in ('view', 'ephemeral') and reads_archived_rows(other) -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}
