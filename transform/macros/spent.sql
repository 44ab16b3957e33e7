{# What spent outputs were worth, and how much of it is known: for models of spent outputs. #}


{#
  A select of rows of a CTE `flows`, each an amount that was created on `created_date` and spent on `block_date`, with the
  closes of both days and the coin's decimals, from a CTE `closes` of days that have one. Both closes or neither: a sum of
  values beside a sum of costs has to be over the same coins. `columns` are those of `flows` to hand on.
#}
{% macro priced_flows(columns) -%}
    select
        {%- for column in columns %}
        flows.{{ column }},
        {%- endfor %}
        spent_closes.base_unit_decimals,
        case when created_closes.close_price is not null then spent_closes.close_price end as spent_price,
        case when spent_closes.close_price is not null then created_closes.close_price end as created_price
    from flows
    left join closes as spent_closes
        on flows.chain = spent_closes.chain and flows.block_date = spent_closes.close_date
    left join closes as created_closes
        on flows.chain = created_closes.chain and flows.created_date = created_closes.close_date
{%- endmacro %}


{#
  The figures of a part of a day's spent outputs, from that part's row of sums, if there is one, and the CTE `day_marks`:
  nothing was spent only where all that was is loaded.
#}
{% macro spent_sums(part) -%}
    case when day_marks.has_all_inputs then coalesce({{ part }}.spent_output_count, 0) end as spent_output_count,
    case when day_marks.has_all_inputs then coalesce({{ part }}.spent_base, 0) end as spent_base,
    coalesce({{ part }}.priced_spent_base, case when day_marks.has_all_inputs then 0 end) as priced_spent_base,
    {{ part }}.spent_value_usd,
    {{ part }}.spent_cost_usd
{%- endmacro %}


{# From these: value and cost of what has both closes, and how much of the whole that is. Of nothing all is known. #}
{% macro spent_coverage() -%}
    case when spent_base = 0 then 0.00000000 else spent_value_usd end as spent_value_usd,
    case when spent_base = 0 then 0.00000000 else spent_cost_usd end as spent_cost_usd,
    case when spent_base = 0 then 1.00000000 else {{ quotient('priced_spent_base', 'spent_base', 8) }} end as spent_coverage_ratio
{%- endmacro %}


{# From these: value and cost under their plain names where enough is known, and as far as they are known. #}
{% macro spent_in_usd() -%}
    {%- set needed = priced_part_needed() -%}
    case when spent_coverage_ratio >= {{ needed }} then spent_value_usd end as spent_value_usd,
    spent_value_usd as spent_value_known_usd,
    case when spent_coverage_ratio >= {{ needed }} then spent_cost_usd end as spent_cost_usd,
    spent_cost_usd as spent_cost_known_usd
{%- endmacro %}
