{#
  The condition that two rows are of one block, for joins of rows by the thousand. The height alone is compared by `=`, which a
  join can hash or sort by: with several such columns PostgreSQL may merge by the first alone, where rows happen to lie in its
  order, and compare each row with all of the chain. No column may be null.
#}
{% macro is_same_block(one, other) -%}
    {{ one }}.block_height = {{ other }}.block_height and {{ one }}.chain is not distinct from {{ other }}.chain
{%- endmacro %}


{# The condition that two rows are of one transaction, by its key alone for the same reason: else each row is compared with all of its block. #}
{% macro is_same_transaction(one, other) -%}
    {{ one }}.transaction_key = {{ other }}.transaction_key
    and {{ one }}.block_height is not distinct from {{ other }}.block_height
    and {{ one }}.chain is not distinct from {{ other }}.chain
{%- endmacro %}
