{#
  The other source of days that came from two: the schema raw_compared has tables like those of raw_data, which the same
  loader fills with what an own node, or Blockchair, says of days that raw_data has already (docs/guides/own-node.md).
#}

{# The tables that both sources of a chain's days have: what tells a row, its block first, and the time that has its day. #}
{% macro comparable_tables(chain) %}
    {%- set of_utxo = {
        'blocks': [['id'], 'time'],
        'transactions': [['block_id', 'hash'], 'time'],
        'outputs': [['block_id', 'transaction_hash', 'index'], 'time'],
        'inputs': [['spending_block_id', 'spending_transaction_hash', 'spending_index'], 'spending_time'],
    } -%}
    {%- set of_accounts = {
        'blocks': [['id'], 'time'],
        'transactions': [['block_id', 'hash', 'index'], 'time'],
        'calls': [['block_id', 'transaction_hash', 'index'], 'time'],
    } -%}
    {{ return(of_utxo if chain.ledger == 'utxo' else of_accounts) }}
{% endmacro %}


{#
  One row per chain, table, UTC day and column of the days that both schemas have. It names raw tables itself, not by
  source(): staging has no models of raw_compared, and two tables are comparable as the loader made them.
#}
{% macro compared_days() -%}
    {%- set queries = [] -%}
    {%- for chain in chains() if execute -%}
        {%- for name, (keys, time_column) in comparable_tables(chain).items() -%}
            {%- set place = {'database': target.database, 'identifier': table_prefix(chain) ~ '_' ~ name} -%}
            {%- set held = api.Relation.create(schema='raw_data', **place) -%}
            {%- set compared = api.Relation.create(schema='raw_compared', **place) -%}
            {%- if adapter.get_columns_in_relation(compared) and adapter.get_columns_in_relation(held) -%}
                {%- do queries.append(compared_columns(chain.name, name, held, compared, keys, time_column)) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ (queries or [nothing_compared()]) | join("\nunion all\n") }}
{%- endmacro %}


{#
  One row per UTC day that both tables have, and column that both have: in how many rows it differs, and the first of them.
  `whole row` is of rows that one of the two lacks. Left out are dollars, which a node does not know, and what the loader adds.
#}
{% macro compared_columns(chain_name, table_name, held, compared, keys, time_column) -%}
    {%- set others = adapter.get_columns_in_relation(compared) | map(attribute='name') | list -%}
    {%- set names = [] -%}
    {%- for column in adapter.get_columns_in_relation(held) if column.name in others and column.name not in keys -%}
        {%- if not column.name.startswith('_') and not column.name.endswith('_usd') and column.name not in ['origin', 'is_settled'] -%}
            {%- do names.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set bounds = run_query(
        "select coalesce(min(" ~ time_column ~ ")::date, 'infinity'), coalesce(max(" ~ time_column ~ ")::date + 1, 'infinity') from " ~ compared
    ).rows[0] %}
    select
        '{{ chain_name }}' as chain,
        '{{ table_name }}' as table_name,
        days.block_date,
        days.source_name,
        days.compared_source_name,
        days.row_count,
        days.compared_row_count,
        differences.column_name,
        differences.difference_count,
        cast(differences.example[1] as bigint) as first_block_height,
        differences.example[2] as first_row,
        differences.example[3] as first_value,
        differences.example[4] as first_compared_value
    from (
        select
            coalesce(held.block_date, compared.block_date) as block_date,
            min(held.row_source) as source_name,
            min(compared.row_source) as compared_source_name,
            count(held.block_date) as row_count,
            count(compared.block_date) as compared_row_count,
            {{ difference(
                'held.block_date is null or compared.block_date is null',
                "case when held.block_date is not null then 'present' end",
                "case when compared.block_date is not null then 'present' end", 'row', keys
            ) }}
            {%- for name in names %},
            {{ difference(
                'held.' ~ adapter.quote(name) ~ ' is distinct from compared.' ~ adapter.quote(name)
                ~ ' and held.block_date is not null and compared.block_date is not null',
                'held.' ~ adapter.quote(name), 'compared.' ~ adapter.quote(name), loop.index, keys
            ) }}
            {%- endfor %}
        from ({{ rows_of_days(held, bounds, time_column) }}) as held
        full join ({{ rows_of_days(compared, bounds, time_column) }}) as compared
            on
                held.block_date = compared.block_date
                {%- for key in keys %}
                and coalesce(cast(held.{{ adapter.quote(key) }} as text), '') = coalesce(cast(compared.{{ adapter.quote(key) }} as text), '')
                {%- endfor %}
        group by coalesce(held.block_date, compared.block_date)
        having count(held.block_date) > 0 and count(compared.block_date) > 0
    ) as days
    cross join lateral (
        values
        ('whole row', days.count_row, days.example_row)
        {%- for name in names %},
        ('{{ name }}', days.count_{{ loop.index }}, days.example_{{ loop.index }})
        {%- endfor %}
    ) as differences (column_name, difference_count, example)
{%- endmacro %}


{# The number of rows that meet a condition, and the lowest of them: height, key, and both values. #}
{% macro difference(condition, value, compared_value, suffix, keys) -%}
    {%- set parts = [] -%}
    {%- for key in keys -%}
        {%- do parts.append("coalesce(held." ~ adapter.quote(key) ~ ", compared." ~ adapter.quote(key) ~ ")") -%}
    {%- endfor -%}
    count(*) filter (where {{ condition }}) as count_{{ suffix }},
            min(array[
                lpad(cast({{ parts[0] }} as text), 12, '0'), concat_ws(' ', {{ parts | join(', ') }}),
                cast({{ value }} as text), cast({{ compared_value }} as text)
            ]) filter (where {{ condition }}) as example_{{ suffix }}
{%- endmacro %}


{# All columns of a raw table's rows between two dates, with their day and what they came from. #}
{% macro rows_of_days(relation, bounds, time_column) -%}
    {%- set types = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do types.update({column.name: column.dtype}) -%}
    {%- endfor -%}
    select
            raw_rows.*,
            {{ utc_date(to_utc('raw_rows.' ~ time_column, types[time_column])) }} as block_date,
            {{ 'coalesce(raw_rows.origin, raw_rows._channel)' if 'origin' in types else 'raw_rows._channel' }} as row_source
        from {{ relation }} as raw_rows
        where raw_rows.{{ time_column }} >= '{{ bounds[0] }}' and raw_rows.{{ time_column }} < '{{ bounds[1] }}'
{%- endmacro %}


{# The typed, empty relation of a warehouse in which no day is of both. #}
{% macro nothing_compared() -%}
    select
        cast(null as text) as chain,
        cast(null as text) as table_name,
        cast(null as date) as block_date,
        cast(null as text) as source_name,
        cast(null as text) as compared_source_name,
        cast(null as bigint) as row_count,
        cast(null as bigint) as compared_row_count,
        cast(null as text) as column_name,
        cast(null as bigint) as difference_count,
        cast(null as bigint) as first_block_height,
        cast(null as text) as first_row,
        cast(null as text) as first_value,
        cast(null as text) as first_compared_value
    where false
{%- endmacro %}
