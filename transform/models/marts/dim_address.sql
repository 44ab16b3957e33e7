{#
  Each attribute is of a day that a column names, so that a row can change only with these days or with a day that names
  the address. Indexed by those days, to find the rows that a change concerns.
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
with

{% if not everything %}
changed_addresses as (

    select address_key
    from {{ ref('int_address_days') }}
    where {{ in_changed_days('block_date') }}

    union

    select address_key
    from {{ this }}
    where {{ names_changed_days() }}

),

{% endif %}
address_days as (

    select
        address_key,
        chain,
        block_date,
        address,
        is_synthetic,
        script_type,
        was_created
    from {{ ref('int_address_days') }}
    {% if not everything %}
        where address_key in (select changed_addresses.address_key from changed_addresses)
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
