{{ config(materialized='changed_days') }}
-- Of a day's contracts those that used the most gas, and the others in one row, so that the rows of a day add up.
{% set gas_measures %}
    cast({{ complete_sum('gas_used') }} as bigint) as gas_used,
    {{ complete_sum('fee_base') }} as fee_base
{% endset %}
with

transactions as (

    select
        chain,
        block_date,
        -- a creation calls nobody, and its recipient may or may not be what it creates
        case
            when transaction_type in ('create', 'create_tree') then 'creation'
            when input_start is null or recipient_address is null then 'unknown'
            else 'contract'
        end as row_kind,
        recipient_address,
        is_failed,
        gas_used,
        fee_base
    from {{ ref('int_transactions_unioned') }}
    where
        chain = 'ethereum'
        and not is_synthetic
        and coalesce(input_start, 'unknown') <> ''
        and {{ in_changed_days('block_time') }}

),

recipients as (

    select
        chain,
        block_date,
        row_kind,
        case when row_kind = 'contract' then recipient_address end as contract_address,
        count(*) as transaction_count,
        count(*) filter (where is_failed) as failed_transaction_count,
        {{- gas_measures }}
    from transactions
    group by chain, block_date, row_kind, case when row_kind = 'contract' then recipient_address end

),

ranked as (

    select
        chain,
        block_date,
        row_kind,
        contract_address,
        row_number() over (partition by chain, block_date, row_kind order by gas_used desc nulls last, contract_address asc) as gas_rank,
        transaction_count,
        failed_transaction_count,
        gas_used,
        fee_base
    from recipients

),

placed as (

    select
        chain,
        block_date,
        case when row_kind = 'contract' and gas_rank > {{ var('top_contracts') }} then 'other' else row_kind end as row_kind,
        case when gas_rank <= {{ var('top_contracts') }} then contract_address end as contract_address,
        case when row_kind = 'contract' and gas_rank <= {{ var('top_contracts') }} then gas_rank end as gas_rank,
        case when row_kind = 'contract' then 1 end as contract_count,
        transaction_count,
        failed_transaction_count,
        gas_used,
        fee_base
    from ranked

)

select
    chain,
    block_date,
    row_kind,
    contract_address,
    coalesce(contract_address, row_kind) as contract_label,
    gas_rank,
    cast(sum(contract_count) as bigint) as contract_count,
    cast(sum(transaction_count) as bigint) as transaction_count,
    cast(sum(failed_transaction_count) as bigint) as failed_transaction_count,
    {{- gas_measures }}
from placed
group by chain, block_date, row_kind, contract_address, gas_rank
