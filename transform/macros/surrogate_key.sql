{#
  A key that depends on nothing but the values: the first 64 bits of the MD5 of their text, as bigint. The same
  rows get the same keys after any rebuild and on any server. -1 stays free for the unknown member. The columns
  that a key stands for are tested for uniqueness next to the key itself, so a collision would not pass unseen.
#}
{% macro surrogate_key(expressions) -%}
    {%- set parts = [] -%}
    {%- for expression in expressions -%}
        {%- do parts.append("coalesce(cast(" ~ expression ~ " as text), '')") -%}
    {%- endfor -%}
    cast(cast('x' || left(md5({{ parts | join(" || '|' || ") }}), 16) as bit(64)) as bigint)
{%- endmacro %}


{# The same, but null where a part of it is: no two unknown things are the same one. #}
{% macro known_key(expressions) -%}
    case when num_nulls({{ expressions | join(", ") }}) = 0 then {{ surrogate_key(expressions) }} end
{%- endmacro %}
