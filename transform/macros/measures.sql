{#
  The work that stands for a block: the hashes that finding one takes on average, 2^256 / (target + 1); on Ethereum the
  difficulty is that number. Null where the bits are malformed. Divided by div(), since `/` rounds to 16 digits behind the
  point: just below a whole number, as with a mantissa that is a power of two, trunc() then came out one too high.
#}
{% macro block_work(chain, bits, difficulty) -%}
    case
        when {{ chain }} = 'ethereum' then {{ difficulty }}
        when ({{ bits }} & 8388607) > 0 and {{ bits }} >> 24 between 3 and 32
            then div(
                115792089237316195423570985008687907853269984665640564039457584007913129639936,
                ({{ bits }} & 8388607) * round(power(cast(256 as numeric), cast(({{ bits }} >> 24) - 3 as numeric))) + 1
            )
    end
{%- endmacro %}


{# From how many days on, by date, coins are a long-term holder's. #}
{% macro long_term_days() -%}
    155
{%- endmacro %}


{# The first block that burns a base fee. #}
{% macro london_height() -%}
    12965000
{%- endmacro %}


{# What a fee is paid for: virtual bytes on chains with SegWit, bytes on others, gas on Ethereum. #}
{% macro charged_size(chain, weight_wu, size_bytes, gas_used) -%}
    case
        when {{ is_chain_with(chain, 'has_segwit') }} then {{ weight_wu }} / cast(4 as numeric)
        when {{ is_chain_with(chain, 'ledger', 'utxo') }} then cast({{ size_bytes }} as numeric)
        else cast({{ gas_used }} as numeric)
    end
{%- endmacro %}


{# A fee by what it is paid for, in gwei on Ethereum, else in base units. #}
{% macro fee_rate(fee_base, charged_size, chain) -%}
    {{ quotient(fee_base, charged_size ~ " * case when " ~ chain ~ " = 'ethereum' then 1000000000 else 1 end", 9) }}
{%- endmacro %}


{#
  A quotient of exact figures, rounded once, half away from zero, to so many digits behind the point. `/` rounds by itself,
  to 16 digits or so, and rounding its answer again may go the other way. The divisor is not negative; by 0 it is null.
#}
{% macro quotient(dividend, divisor, digits) -%}
    div(
        {{ 2 * 10 ** digits }} * cast({{ dividend }} as numeric) + sign(cast({{ dividend }} as numeric)) * ({{ divisor }}),
        2 * nullif(cast({{ divisor }} as numeric), 0)
    ) * cast('1e-{{ digits }}' as numeric)
{%- endmacro %}


{#
  A difference by the sample standard deviation of so many figures, of which the sum and the sum of squares are exact.
  Null where they do not differ. By squares, whose quotient has digits enough to be rounded once, behind the root.
#}
{% macro standardised(difference, figure_count, figure_sum, square_sum, digits) -%}
    sign({{ difference }}) * round(sqrt({{ quotient(
        '(' ~ difference ~ ') * (' ~ difference ~ ') * ' ~ figure_count ~ ' * (' ~ figure_count ~ ' - 1)',
        figure_count ~ ' * ' ~ square_sum ~ ' - ' ~ figure_sum ~ ' * ' ~ figure_sum, 40
    ) }}), {{ digits }})
{%- endmacro %}


{#
  Whether an output is of a coinbase that is not in the chain's set of unspent outputs: of the first block, which no node
  ever put there, or of one that a later coinbase of the same hash replaced, as two of Bitcoin's, in 91,842 and 91,880 (BIP 30).
#}
{% macro is_replaced_coinbase(column) -%}
    is_from_coinbase and (
        block_height = 0
        {%- for chain in utxo_chains() if chain.replaced_coinbases %}
        or ({{ column }} = '{{ chain.name }}' and block_height in ({{ chain.replaced_coinbases | join(', ') }}))
        {%- endfor %}
    )
{%- endmacro %}


{#
  The method that a transaction of Ethereum calls: the first four bytes of its input, of which `input_start` has the first
  eight digits. A creation's input is code and names none.
#}
{% macro method_id(transaction_type, input_start) -%}
    case when {{ transaction_type }} not in ('create', 'create_tree') and length({{ input_start }}) = 8 then '0x' || {{ input_start }} end
{%- endmacro %}


{#
  From which part of its value on a figure that lacks some prices is reported under its plain name: 1 less the variable
  `unpriced_value_tolerance`, which is a hundredth at most.
#}
{% macro priced_part_needed() -%}
    {%- set tolerance = var('unpriced_value_tolerance') | float -%}
    {%- if not 0 <= tolerance <= 0.01 -%}
        {{ exceptions.raise_compiler_error("unpriced_value_tolerance is " ~ tolerance ~ "; it has to be from 0 to 0.01, a hundredth.") }}
    {%- endif -%}
    1 - {{ var('unpriced_value_tolerance') }}
{%- endmacro %}
