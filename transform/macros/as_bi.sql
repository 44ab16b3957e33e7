{#
  A mart in types that BI tools can hold: the columns that this model's contract lists, each made from the mart's by its name.

  - A column of the mart: as it is, or in the contract's type; a moment in UTC without its zone, an array as text.
  - `x_native`: the mart's `x_base` in coins. `x_base_text`: all its digits.
  - `day_start_at`: the mart's day as a timestamp.
  - Any other: by `others`, an expression by column, in which the mart is `facts`.

  No `with`: PostgreSQL plans a view that has one by itself, so that the filters of whoever asks reach no index.
#}
{% macro as_bi(mart, others={}) -%}
    {%- set chains = ref('int_chains') -%}
    {%- if not execute -%}
    select * from {{ mart }}
    {%- else -%}
    {%- set listed = model.columns -%}
    {%- set held = graph.nodes['model.' ~ project_name ~ '.' ~ mart.identifier].columns -%}
    {%- set in_coins = [] -%}
    {%- for name in listed if name.endswith('_native') and name not in others -%}
        {%- do in_coins.append(name) -%}
    {%- endfor -%}
    {%- set day = ['block_date', 'close_date', 'observed_date'] | select('in', held) | first -%}
    select
    {%- for column in listed.values() %}
        {{ others.get(column.name) or bi_expression(column, held, day) }} as {{ column.name }}{{ "," if not loop.last }}
    {%- endfor %}
    from {{ mart }} as facts
    {%- if in_coins %}
    left join {{ chains }} as chains on facts.chain = chains.chain
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{# The expression that makes a listed column from those that a mart holds. #}
{% macro bi_expression(column, held, day) -%}
    {%- set name, type = column.name, column.data_type -%}
    {%- if name in held -%}
        {%- set held_type = held[name].data_type -%}
        {%- if held_type == type -%}
            facts.{{ name }}
        {%- elif held_type == 'timestamptz' and type == 'timestamp' -%}
            facts.{{ name }} at time zone 'UTC'
        {%- elif held_type.endswith('[]') -%}
            array_to_string(facts.{{ name }}, ', ')
        {%- else -%}
            cast(facts.{{ name }} as {{ type }})
        {%- endif -%}
    {%- elif name.endswith('_native') -%}
        {{ to_native('facts.' ~ name.removesuffix('_native') ~ '_base', 'chains.base_unit_decimals') }}
    {%- elif name.endswith('_base_text') -%}
        cast(facts.{{ name.removesuffix('_text') }} as text)
    {%- elif name == 'day_start_at' -%}
        cast(facts.{{ day }} as timestamp)
    {%- else -%}
        {{ exceptions.raise_compiler_error("No rule of as_bi() makes the column " ~ name ~ "; name it in `others`.") }}
    {%- endif -%}
{%- endmacro %}
