{#
  Each attribute is of a day that a column names, so that a row can change only with these days or with a day that names
  the address. What a row says of other days still holds; the days of its address are read again only where a row names a
  changed day that does not name the address any more. Indexed by those days, to find the rows that a change concerns.
#}
{{
    config(
        materialized='changed_days',
        unique_key='address_key',
        on_schema_change='append_new_columns',
        meta={'day_columns': ['first_seen_date', 'last_seen_date', 'contract_created_date']},
        indexes=[
            {'columns': ['chain', 'first_seen_date']},
            {'columns': ['chain', 'last_seen_date']},
            {'columns': ['chain', 'contract_created_date']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set everything = changes().everything %}
{% set day_columns = 'address_key, chain, block_date, address, is_synthetic, script_type, was_created' %}
with

changed_days as ({{ columns_of(ref('int_address_days'), day_columns, where=in_changed_days('block_date')) }}),

{% if not everything %}
changed_addresses as (

    select address_key
    from changed_days

    union

    select address_key
    from {{ this }}
    where {{ names_changed_days() }}

),

held_days as (

    select
        held.address_key,
        held.chain,
        named.block_date,
        held.address,
        held.is_synthetic,
        held.script_type,
        named.is_creation as was_created
    from {{ this }} as held
    cross join
        lateral (
            values
            (held.first_seen_date, false),
            (held.last_seen_date, false),
            (held.contract_created_date, true)
        ) as named (block_date, is_creation)
    where
        held.address_key in (select changed_addresses.address_key from changed_addresses)
        and named.block_date is not null

),

held_changed_days as (

    select
        address_key,
        block_date,
        was_created
    from held_days
    where {{ in_changed_days('block_date') }}

),

lost_addresses as (

    select held_changed_days.address_key
    from held_changed_days
    left join changed_days
        on
            held_changed_days.address_key = changed_days.address_key
            and held_changed_days.block_date = changed_days.block_date
            and (changed_days.was_created or not held_changed_days.was_created)
    where changed_days.address_key is null

),

{% endif %}
address_days as (

    select {{ day_columns }}
    from changed_days
    {% if not everything %}
        union all

        select {{ day_columns }}
        from held_days
        where not {{ in_changed_days('block_date') }}

        union all

        select {{ day_columns }}
        from {{ ref('int_address_days') }}
        where address_key in (select lost_addresses.address_key from lost_addresses)
    {% endif %}

),

addresses as (

    select
        address_key,
        chain,
        address,
        is_synthetic,
        (array_agg(script_type order by block_date))[1] as script_type,
        min(block_date) as first_seen_date,
        max(block_date) as last_seen_date,
        min(block_date) filter (where was_created) as contract_created_date
    from address_days
    group by address_key, chain, address, is_synthetic

)

select
    address_key,
    chain,
    address,
    is_synthetic,
    script_type,
    contract_created_date is not null as is_known_contract,
    first_seen_date,
    last_seen_date,
    contract_created_date
from addresses

union all

select
    -1 as address_key,
    'unknown' as chain,
    'unknown' as address,
    false as is_synthetic,
    null as script_type,
    false as is_known_contract,
    null as first_seen_date,
    null as last_seen_date,
    null as contract_created_date
