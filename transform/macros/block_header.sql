{#
  The 32 bytes of a hash in reverse order. The argument is repeated, so it has to be a column. On bytea this costs a
  quarter of what a regular expression over the hex digits would.
#}
{% macro reverse_hash(bytes_column) -%}
    {%- for position in range(32, 0, -1) -%}
        substr({{ bytes_column }}, {{ position }}, 1){{ " || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# A 32-bit integer, signed or unsigned, as four bytes, the least significant one first. #}
{% macro little_endian_4(column) -%}
    substr(int8send(
        (({{ column }} & 255) << 24) | (({{ column }} & 65280) << 8)
        | (({{ column }} >> 8) & 65280) | (({{ column }} >> 24) & 255)
    ), 5, 4)
{%- endmacro %}


{#
  What a Bitcoin-like block's hash has to be: SHA-256 twice over the 80 bytes of the header, in the order in which the
  bytes are computed; the usual notation reverses them. A Dogecoin block that was merge-mined is named by the same 80
  bytes. Parent and root are columns of 32 bytes in the usual notation's order; the other columns are bigint and within
  32 bits, the time in seconds since 1970.
#}
{% macro header_digest(version, parent_hash, merkle_root, header_time, bits, nonce) -%}
    sha256(sha256(
        {{ little_endian_4(version) }}
        || {{ reverse_hash(parent_hash) }}
        || {{ reverse_hash(merkle_root) }}
        || {{ little_endian_4(header_time) }}
        || {{ little_endian_4(bits) }}
        || {{ little_endian_4(nonce) }}
    ))
{%- endmacro %}


{#
  The proof-of-work target as 64 hex digits, from the header's compact form: three bytes of mantissa, shifted left
  by the first byte less three. Right for exponents of 3 to 32; the caller rejects the others.
#}
{% macro target_from_bits(bits) -%}
    lpad(rpad(lpad(to_hex({{ bits }} & 16777215), 6, '0'), cast(2 * ({{ bits }} >> 24) as integer), '0'), 64, '0')
{%- endmacro %}


{#
  Two CTEs, of a `with recursive`: `roots`, the root of each block's merkle tree, from the relation `leaves_of` with the
  columns chain, block_height, block_date and leaves, the transactions' hashes one behind the other in their order, each of
  32 bytes, where `condition` holds; and `tree`, its levels. A level is the hashes of the level below in pairs, an odd last
  one paired with itself.
#}
{% macro merkle_roots(leaves_of, condition) -%}
tree as (

    select
        chain,
        block_height,
        block_date,
        leaves as nodes,
        length(leaves) / 32 as node_count
    from {{ leaves_of }}
    where {{ condition }}

    union all

    select
        padded.chain,
        padded.block_height,
        padded.block_date,
        (
            select string_agg(sha256(sha256(substr(padded.nodes, 64 * pair + 1, 64))), '' order by pair)
            from generate_series(0, (padded.node_count - 1) / 2) as pair
        ) as nodes,
        (padded.node_count + 1) / 2 as node_count
    from (
        select
            chain,
            block_height,
            block_date,
            node_count,
            nodes || case when node_count % 2 = 1 then substr(nodes, length(nodes) - 31) else '' end as nodes
        from tree
        where node_count > 1
    ) as padded

),

roots as materialized (

    select
        chain,
        block_height,
        block_date,
        nodes
    from tree
    where node_count = 1

)
{%- endmacro %}
