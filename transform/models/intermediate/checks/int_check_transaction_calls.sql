-- Each Ethereum transaction against its calls, told by block. Synthetic rows have no hash to tell whose they are.
{{
    config(
        materialized='incremental',
        incremental_strategy='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
with

-- Transactions and calls in one column list, so that one grouping meets both, and none of them is lost in a join.
parts as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        false as is_call,
        call_count as expected_calls,
        internal_value_base as expected_value,
        cast(null as numeric) as moved_base
    from {{ ref('int_transactions_unioned') }}
    where chain = 'ethereum' and not is_synthetic and {{ in_changed_days('block_time') }}

    union all

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        true as is_call,
        cast(null as bigint) as expected_calls,
        cast(null as numeric) as expected_value,
        case when is_transferred then value_base else 0 end as moved_base
    from {{ ref('int_calls_unioned') }}
    where not is_synthetic and {{ in_changed_days('block_time') }}

),

transactions as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        count(*) filter (where not is_call) as transaction_rows,
        count(*) filter (where is_call) as found_calls,
        max(expected_calls) as expected_calls,
        max(expected_value) as expected_value,
        coalesce(sum(moved_base), 0) as found_value
    from parts
    group by chain, block_height, block_date, transaction_hash

),

compared as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        transaction_rows,
        found_calls,
        {{ comparison([
            ('call_count', 'expected_calls', 'found_calls'),
            ('internal_value', 'expected_value', 'found_value'),
        ]) | indent(8) }} as outcome
    from transactions

),

blocks as (

    select
        chain,
        block_height,
        block_date,
        sum(transaction_rows) as transaction_rows,
        sum(found_calls) as found_calls,
        count(*) filter (where transaction_rows = 0) as stray_count,
        min(
            'calls of ' || transaction_hash || ': expected one transaction of this hash, found none'
        ) filter (where transaction_rows = 0) as stray,
        count(*) filter (where transaction_rows > 0 and outcome like 'failed%') as failed_count,
        min(
            'calls of ' || transaction_hash || ': ' || {{ check_reason('outcome') }}
        ) filter (where transaction_rows > 0 and outcome like 'failed%') as failure,
        min({{ check_reason('outcome') }}) filter (where outcome like 'unverifiable%') as obstacle
    from compared
    group by chain, block_height, block_date

),

-- what the API delivers comes block by block, a dump as a whole day
loaded_days as (

    select
        chain,
        block_date,
        bool_or(channel = 'dumps') as has_dump_rows
    from {{ ref('int_calls_unioned') }}
    where {{ in_changed_days('block_time') }}
    group by chain, block_date

),

assessed as (

    select
        blocks.chain,
        blocks.block_height,
        blocks.block_date,
        case
            when loaded_days.chain is null then 'unverifiable: no calls of this day are loaded'
            when blocks.found_calls = 0 and not loaded_days.has_dump_rows then 'unverifiable: the block''s calls are not loaded yet'
            when blocks.transaction_rows = 0 then 'unverifiable: the block''s transactions are not loaded'
            when blocks.stray_count > 0 then 'failed: ' || blocks.stray
            when blocks.failed_count > 0 then 'failed: ' || blocks.failure || '; transactions that fail: ' || blocks.failed_count
            when blocks.obstacle is not null then 'unverifiable: ' || blocks.obstacle
            else 'verified'
        end as transaction_calls
    from blocks
    left join loaded_days
        on
            blocks.chain = loaded_days.chain
            and blocks.block_date = loaded_days.block_date

)

{{ outcomes_by_check(['transaction_calls']) }}
