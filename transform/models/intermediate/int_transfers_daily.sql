{{ config(materialized='changed_days') }}
-- What users' transactions sent to others: outputs to an address that is among the inputs of the same transaction are left out.
select
    chain,
    block_date,
    cast(sum(output_count) as bigint) as output_count,
    cast(sum(input_count) as bigint) as input_count,
    -- a day without outputs moved nothing that is known, one with coinbases alone moved nothing
    case when count(value_base) > 0 then coalesce(sum(value_base) filter (where not is_from_coinbase), 0) end as transfer_value_base,
    coalesce(sum(data_base) filter (where not is_from_coinbase), 0) as data_base,
    sum(self_churn_base) as self_churn_base
from {{ ref('int_transaction_transfers') }}
where {{ in_changed_days('block_date') }}
group by chain, block_date
