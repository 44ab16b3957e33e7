{{ config(materialized='incremental', incremental_strategy='changed_days') }}
-- What users' transactions sent to others: outputs to an address that is among the inputs of the same transaction are left out.
with

outputs as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        value_base,
        recipient,
        coalesce(is_from_coinbase, false) as is_from_coinbase
    from {{ ref('int_outputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

inputs as (

    select
        chain,
        block_height,
        transaction_hash,
        block_date,
        recipient
    from {{ ref('int_inputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

spenders as (

    select distinct
        chain,
        block_height,
        transaction_hash,
        recipient
    from inputs
    where recipient is not null

),

input_days as (

    select
        chain,
        block_date,
        count(*) as input_count
    from inputs
    group by chain, block_date

),

output_days as (

    select
        outputs.chain,
        outputs.block_date,
        count(*) as output_count,
        coalesce(sum(outputs.value_base) filter (where not outputs.is_from_coinbase), 0) as transfer_value_base,
        coalesce(sum(outputs.value_base) filter (where spenders.recipient is not null), 0) as self_churn_base
    from outputs
    left join spenders
        on
            outputs.chain = spenders.chain
            and outputs.block_height = spenders.block_height
            and outputs.transaction_hash = spenders.transaction_hash
            and outputs.recipient = spenders.recipient
    group by outputs.chain, outputs.block_date

)

select
    coalesce(output_days.chain, input_days.chain) as chain,
    coalesce(output_days.block_date, input_days.block_date) as block_date,
    coalesce(output_days.output_count, 0) as output_count,
    coalesce(input_days.input_count, 0) as input_count,
    output_days.transfer_value_base,
    output_days.self_churn_base
from output_days
full join input_days on output_days.chain = input_days.chain and output_days.block_date = input_days.block_date
