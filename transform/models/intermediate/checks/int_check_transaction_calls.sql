-- Each Ethereum transaction against its calls, reported by block. Synthetic rows have no hash that names theirs; any other
-- row without a hash may be one that a transaction of its block lacks, so that none fails there for having too few.
{{
    config(
        materialized='changed_days',
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
        is_synthetic is null as lacks_type,
        call_count as expected_calls,
        internal_value_base as expected_value,
        cast(null as numeric) as moved_base
    from {{ ref('int_transactions_unioned') }}
    where chain = 'ethereum' and is_synthetic is not true and {{ in_changed_days('block_time') }}

    union all

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        true as is_call,
        is_synthetic is null as lacks_type,
        cast(null as bigint) as expected_calls,
        cast(null as numeric) as expected_value,
        case when is_transferred then value_base when not is_transferred then 0 end as moved_base
    from {{ ref('int_calls_unioned') }}
    where is_synthetic is not true and {{ in_changed_days('block_time') }}

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
        {{ complete_sum('moved_base', needed='is_call') | indent(8) }} as found_value,
        bool_or(lacks_type) as lacks_type
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
        found_calls >= expected_calls as has_enough,
        case
            when transaction_hash is null then 'unverifiable: a transaction_hash is missing'
            when lacks_type then 'unverifiable: type is missing'
            when transaction_rows = 0 then 'failed: expected one transaction of this hash, found none'
            else
                {{ comparison([
                    ('call_count', 'expected_calls', 'found_calls'),
                    ('internal_value', 'expected_value', 'found_value'),
                ]) | indent(16) }}
        end as outcome
    from transactions

),

classified as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        transaction_rows,
        found_calls,
        has_enough,
        case when outcome like 'unverifiable%' then {{ check_reason('outcome') }} end as obstacle,
        case when outcome like 'failed%' and transaction_rows = 0 then {{ check_reason('outcome') }} end as stray,
        case when outcome like 'failed%' and transaction_rows > 0 then {{ check_reason('outcome') }} end as failure
    from compared

),

blocks as (

    select
        chain,
        block_height,
        block_date,
        sum(transaction_rows) as transaction_rows,
        sum(found_calls) as found_calls,
        bool_or(transaction_hash is null) as has_unnamed,
        count(stray) as stray_count,
        min('calls of ' || transaction_hash || ': ' || stray) as stray,
        count(failure) as failed_count,
        min('calls of ' || transaction_hash || ': ' || failure) as failure,
        count(failure) filter (where has_enough) as certain_count,
        min('calls of ' || transaction_hash || ': ' || failure) filter (where has_enough) as certain_failure,
        min(obstacle) as obstacle
    from classified
    group by chain, block_height, block_date

),

-- what the API delivers comes block by block, a dump as a whole day
loaded_days as (

    select
        chain,
        block_date,
        bool_or(channel in ('dumps', 'mirror')) as has_dump_rows
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
            when blocks.block_height is null then 'unverifiable: block_id is missing'
            when loaded_days.chain is null then 'unverifiable: no calls of this day are loaded'
            when blocks.found_calls = 0 and loaded_days.has_dump_rows is not true then 'unverifiable: the block''s calls are not loaded yet'
            when blocks.transaction_rows = 0 then 'unverifiable: the block''s transactions are not loaded'
            when blocks.stray_count > 0 and not blocks.has_unnamed then 'failed: ' || blocks.stray
            when blocks.failed_count > 0 and not blocks.has_unnamed
                then 'failed: ' || blocks.failure || '; transactions that fail: ' || blocks.failed_count
            when blocks.certain_count > 0
                then 'failed: ' || blocks.certain_failure || '; transactions that fail: ' || blocks.certain_count
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
