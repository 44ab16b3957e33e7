{#
  An amount in base units, in coins, as a float: 15 digits are exact, no more. For BI tools, which hold neither 256-bit wei
  nor sums of koinu above 64 bits. The scaling itself is exact; only the last step rounds.
#}
{% macro to_native(amount_base, base_unit_decimals) -%}
    cast({{ amount_base }} * cast('1e-' || {{ base_unit_decimals }} as numeric) as double precision)
{%- endmacro %}
