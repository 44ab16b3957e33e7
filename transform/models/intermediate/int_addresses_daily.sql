{{ config(materialized='changed_days') }}
-- Addresses of the day that paid or were paid, each once. An id made up for a script is no address.
select
    chain,
    block_date,
    count(*) as active_address_count,
    count(*) filter (where has_paid) as paying_address_count,
    count(*) filter (where was_paid) as paid_address_count
from {{ ref('int_address_days') }}
where not is_synthetic and (has_paid or was_paid) and {{ in_changed_days('block_date') }}
group by chain, block_date
