{#
  What checks have in common. An outcome is `verified`, or `unverifiable: <why>`, or `failed: <what>`; check_result() and
  check_reason() split it. It stands in a column, since it is read twice.
#}
{% macro check_result(outcome) -%}
    split_part({{ outcome }}, ': ', 1)
{%- endmacro %}


{% macro check_reason(outcome) -%}
    nullif(substr({{ outcome }}, length(split_part({{ outcome }}, ': ', 1)) + 3), '')
{%- endmacro %}


{#
  The last step of a model of checks: of `assessed`, which has a column of outcomes for each check, one row per check and
  block. Where the outcome is null the check is not made on that chain.
#}
{% macro outcomes_by_check(checks) -%}
select
    checks.check_name,
    assessed.chain,
    assessed.block_height,
    assessed.block_date,
    {{ check_result('checks.outcome') }} as result,
    {{ check_reason('checks.outcome') }} as reason
from assessed
cross join lateral (
    values
    {%- for check in checks %}
    ('{{ check }}', assessed.{{ check }}){{ "," if not loop.last }}
    {%- endfor %}
) as checks (check_name, outcome)
where checks.outcome is not null
{%- endmacro %}


{#
  Which of several figures differ, in words, or an empty text. Each item of the list is a name, what is expected and
  what is found. What is null differs from nothing here.
#}
{% macro differences(figures) -%}
    concat_ws(
        '; '
        {%- for name, expected, found in figures -%}
        , case
            when {{ expected }} <> {{ found }}
                then '{{ name }}: expected ' || ({{ expected }}) || ', found ' || ({{ found }})
        end
        {%- endfor -%}
    )
{%- endmacro %}


{# The outcome of comparing such figures: any that differs fails, else any that is null keeps it from being verified. #}
{% macro comparison(figures) -%}
    case
        when {% for name, expected, found in figures %}{{ expected }} <> {{ found }}{{ " or " if not loop.last }}{% endfor %}
            then 'failed: ' || {{ differences(figures) }}
        when {% for name, expected, found in figures %}({{ expected }}) is null or ({{ found }}) is null{{ " or " if not loop.last }}{% endfor %}
            then 'unverifiable: no value to compare: ' || concat_ws(
                ', '
                {%- for name, expected, found in figures -%}
                , case when ({{ expected }}) is null or ({{ found }}) is null then '{{ name }}' end
                {%- endfor -%}
            )
        else 'verified'
    end
{%- endmacro %}


{#
  The sum of a value over the rows of a group, 0 where there are none; null where a row lacks the value, since the sum of
  the others is another figure. `needed` is a condition: rows that do not meet it may lack it.
#}
{% macro complete_sum(value, needed=none) -%}
    case
        when count(*) filter (where {{ value }} is null{{ " and (" ~ needed ~ ")" if needed }}) = 0
            then coalesce(sum({{ value }}), 0)
    end
{%- endmacro %}


{# 64 hex digits as a numeric; null where they are none. Text such as '0x..' casts only from PostgreSQL 16 on. #}
{% macro hex_to_numeric(hex) -%}
    case
        when {{ hex }} ~ '^[0-9a-f]{64}$'
            then
                cast(cast(cast('x' || substr({{ hex }}, 1, 4) as bit(16)) as integer) as numeric) * {{ 2 ** 240 }}
                {%- for part in range(4) %}
                + cast(cast(cast('x' || substr({{ hex }}, {{ 5 + 15 * part }}, 15) as bit(60)) as bigint) as numeric) * {{ 2 ** (180 - 60 * part) }}
                {%- endfor %}
    end
{%- endmacro %}


{# The target that a header's bits stand for, as a numeric; null where they stand for no target above zero. #}
{% macro target_number(bits) -%}
    case
        when {{ bits }} between 1 and 4294967295 and ({{ bits }} & 8388608) = 0 and ({{ bits }} & 8388607) > 0 and ({{ bits }} >> 24) between 3 and 33
            then cast({{ bits }} & 8388607 as numeric) * round(power(cast(256 as numeric), cast(({{ bits }} >> 24) - 3 as numeric)))
    end
{%- endmacro %}


{# The base fee of the block after one with these figures (EIP-1559), in wei: an eighth up or down at most. #}
{% macro next_base_fee(base_fee, gas_used, gas_limit) -%}
    {%- set target = "div(cast(" ~ gas_limit ~ " as numeric), 2)" -%}
    case
        when {{ gas_used }} > {{ target }}
            then {{ base_fee }} + greatest(div(div({{ base_fee }} * ({{ gas_used }} - {{ target }}), {{ target }}), 8), 1)
        when {{ gas_limit }} >= 2
            then {{ base_fee }} - div(div({{ base_fee }} * ({{ target }} - {{ gas_used }}), {{ target }}), 8)
    end
{%- endmacro %}
