{#
  An amount in base units, in USD at a price per coin: amount x price / 10^decimals. The power of ten is an exact
  numeric and multiplied, so nothing is rounded before the last step, to eight decimals.
#}
{% macro to_usd(amount_base, base_unit_decimals, price_usd) -%}
    round({{ amount_base }} * {{ price_usd }} * cast('1e-' || {{ base_unit_decimals }} as numeric), 8)
{%- endmacro %}
