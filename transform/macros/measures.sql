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


{# The first block that burns a base fee. #}
{% macro london_height() -%}
    12965000
{%- endmacro %}


{# What a fee is paid for: virtual bytes on Bitcoin, bytes on Dogecoin, gas on Ethereum. #}
{% macro charged_size(chain, weight_wu, size_bytes, gas_used) -%}
    case {{ chain }}
        when 'bitcoin' then {{ weight_wu }} / cast(4 as numeric)
        when 'dogecoin' then cast({{ size_bytes }} as numeric)
        else cast({{ gas_used }} as numeric)
    end
{%- endmacro %}


{#
  A fee by what it is paid for, in gwei on Ethereum, else in base units. The divisor's scale is the quotient's, which
  PostgreSQL would else cut to 16 digits.
#}
{% macro fee_rate(fee_base, charged_size, chain) -%}
    round(
        {{ fee_base }} / cast(nullif({{ charged_size }}, 0) * case when {{ chain }} = 'ethereum' then 1000000000 else 1 end as numeric(50, 12)), 9
    )
{%- endmacro %}
