-- Each transaction against its outputs and inputs, reported by block. Only ledgers of outputs have them. A row without a hash may
-- be one that a transaction of its block lacks, so that none fails there for having too few.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
with

-- Transactions, outputs and inputs in one column list, so that one grouping meets all three, and none of them is lost in a join.
parts as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        'output' as kind,
        _channel as channel,
        block_time as part_time,
        output_index as part_index,
        value_base as part_value,
        is_from_coinbase as is_coinbase,
        cast(null as bigint) as input_count,
        cast(null as bigint) as output_count,
        cast(null as numeric) as input_total_base,
        cast(null as numeric) as output_total_base,
        cast(null as numeric) as coin_days_destroyed,
        cast(null as text) as wrong_age,
        false as lacks_age
    from {{ ref('stg_blockchair__utxo_outputs') }}
    where {{ in_changed_days('block_time') }}

    union all

    select
        chain,
        spending_block_height as block_height,
        {{ utc_date('spending_time') }} as block_date,
        spending_transaction_hash as transaction_hash,
        'input' as kind,
        _channel as channel,
        spending_time as part_time,
        spending_input_index as part_index,
        value_base as part_value,
        cast(null as boolean) as is_coinbase,
        cast(null as bigint) as input_count,
        cast(null as bigint) as output_count,
        cast(null as numeric) as input_total_base,
        cast(null as numeric) as output_total_base,
        coin_days_destroyed,
        case
            when lifespan_seconds <> extract(epoch from spending_time - created_time)
                then
                    'lifespan: expected ' || cast(extract(epoch from spending_time - created_time) as bigint)
                    || ', found ' || lifespan_seconds
            -- rows of the API count whole coins only
            when
                _channel in ('dumps', 'mirror')
                and abs(coin_days_destroyed - value_base * lifespan_seconds / 8640000000000)
                > 0.000001 + 0.0000000000001 * abs(coin_days_destroyed)
                then 'cdd: expected ' || round(value_base * lifespan_seconds / 8640000000000, 9) || ', found ' || coin_days_destroyed
        end as wrong_age,
        lifespan_seconds is null or created_time is null or spending_time is null
        or value_base is null or coin_days_destroyed is null or _channel is null as lacks_age
    from {{ ref('stg_blockchair__utxo_inputs') }}
    where {{ in_changed_days('spending_time') }}

    union all

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        'transaction' as kind,
        channel,
        block_time as part_time,
        cast(null as bigint) as part_index,
        cast(null as numeric) as part_value,
        is_coinbase,
        input_count,
        output_count,
        input_total_base,
        value_base as output_total_base,
        coin_days_destroyed,
        cast(null as text) as wrong_age,
        false as lacks_age
    from {{ ref('int_transactions_unioned') }}
    where {{ is_chain_with('chain', 'ledger', 'utxo') }} and {{ in_changed_days('block_time') }}

),

transactions as (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        count(*) filter (where kind = 'transaction') as transaction_rows,
        count(*) filter (where kind = 'output') as output_rows,
        count(*) filter (where kind = 'input') as input_rows,
        bool_or(channel in ('dumps', 'mirror')) filter (where kind = 'transaction') as has_dump_rows,
        bool_or(channel in ('dumps', 'mirror')) filter (where kind = 'output') as has_dump_outputs,
        bool_or(channel in ('dumps', 'mirror')) filter (where kind = 'input') as has_dump_inputs,
        bool_or(is_coinbase) filter (where kind = 'transaction') as is_coinbase,
        bool_or(is_coinbase is null) filter (where kind <> 'input') as lacks_coinbase_flag,
        bool_or(is_coinbase) filter (where kind = 'output') as has_coinbase_output,
        bool_and(is_coinbase) filter (where kind = 'output') as has_only_coinbase_outputs,
        min(part_time) filter (where kind <> 'input') as first_output_time,
        max(part_time) filter (where kind <> 'input') as last_output_time,
        min(part_time) filter (where kind <> 'output') as first_input_time,
        max(part_time) filter (where kind <> 'output') as last_input_time,
        max(input_count) as input_count,
        -- a coinbase states an input that is in no table
        max(input_count)
        - case bool_or(is_coinbase) filter (where kind = 'transaction') when true then 1 when false then 0 end as spending_count,
        max(output_count) as output_count,
        max(input_total_base) as input_total_base,
        max(output_total_base) as output_total_base,
        {{ complete_sum("case kind when 'output' then part_value end", needed="kind = 'output'") | indent(8) }} as output_value,
        {{ complete_sum("case kind when 'input' then part_value end", needed="kind = 'input'") | indent(8) }} as input_value,
        {{ complete_sum("case kind when 'output' then part_index end", needed="kind = 'output'") | indent(8) }} as output_index_sum,
        {{ complete_sum("case kind when 'input' then part_index end", needed="kind = 'input'") | indent(8) }} as input_index_sum,
        max(coin_days_destroyed) filter (where kind = 'transaction') as transaction_coin_days,
        {{ complete_sum("case kind when 'input' then coin_days_destroyed end", needed="kind = 'input'") | indent(8) }} as input_coin_days,
        bool_and(channel in ('dumps', 'mirror')) as is_all_from_dumps,
        min(wrong_age) as wrong_age,
        bool_or(lacks_age) as lacks_age
    from parts
    group by chain, block_height, block_date, transaction_hash

),

assessed_transactions as materialized (

    select
        chain,
        block_height,
        block_date,
        transaction_hash,
        transaction_rows,
        output_rows,
        input_rows,
        has_dump_rows,
        has_dump_outputs,
        has_dump_inputs,
        transaction_hash is null and transaction_rows + output_rows > 0 as has_unnamed_outputs,
        transaction_hash is null and transaction_rows + input_rows > 0 as has_unnamed_inputs,
        transaction_rows > 0 and output_rows >= output_count as has_enough_outputs,
        transaction_rows > 0 and input_rows >= spending_count as has_enough_inputs,
        case
            when transaction_hash is null then null
            when transaction_rows = 0 and output_rows > 0 then 'transaction: expected one of this hash, found outputs only'
            when transaction_rows > 0
                then
                    nullif({{ differences([
                        ('output_count', 'output_count', 'output_rows'),
                        ('output_total', 'output_total_base', 'output_value'),
                        ('sum of index', 'output_rows * (output_rows - 1) / 2', 'output_index_sum'),
                        ('is_from_coinbase', 'is_coinbase', 'has_coinbase_output'),
                        ('is_from_coinbase', 'is_coinbase', 'has_only_coinbase_outputs'),
                        ('time of outputs', 'first_output_time', 'last_output_time'),
                    ]) | indent(20) }}, '')
        end as wrong_outputs,
        case
            when transaction_hash is null then null
            when transaction_rows = 0 and input_rows > 0 then 'transaction: expected one of this hash, found inputs only'
            when transaction_rows > 0
                then
                    nullif({{ differences([
                        ('input_count', 'spending_count', 'input_rows'),
                        ('input_total', 'input_total_base', 'input_value'),
                        ('sum of spending_index', 'input_rows * (input_rows - 1) / 2', 'input_index_sum'),
                        ('time of inputs', 'first_input_time', 'last_input_time'),
                    ]) | indent(20) }}, '')
        end as wrong_inputs,
        coalesce(
            wrong_age,
            case
                when
                    transaction_rows > 0 and is_all_from_dumps and input_rows = input_count
                    and abs(transaction_coin_days - input_coin_days) > 0.000001 + 0.0000000000001 * abs(input_coin_days)
                    then 'cdd_total: expected ' || input_coin_days || ' from the inputs, found ' || transaction_coin_days
            end
        ) as wrong_age,
        transaction_rows > 0
        and (
            output_count is null or output_total_base is null or lacks_coinbase_flag
            or output_value is null or output_index_sum is null
        ) as lacks_output_figures,
        transaction_rows > 0
        and (
            spending_count is null or input_total_base is null
            or input_value is null or input_index_sum is null
        ) as lacks_input_figures,
        lacks_age or (input_rows > 0 and transaction_rows > 0 and transaction_coin_days is null) as lacks_age_figures,
        transaction_rows > 0 and (input_rows = spending_count) is not true as lacks_inputs
    from transactions

),

block_parts as (

    select
        chain,
        block_height,
        block_date,
        sum(transaction_rows) as transaction_rows,
        sum(output_rows) as output_rows,
        sum(input_rows) as input_rows,
        count(wrong_outputs) as wrong_output_count,
        min(transaction_hash || ': ' || wrong_outputs) as wrong_outputs,
        count(wrong_outputs) filter (where has_enough_outputs) as certain_output_count,
        min(transaction_hash || ': ' || wrong_outputs) filter (where has_enough_outputs) as certain_outputs,
        count(wrong_inputs) as wrong_input_count,
        min(transaction_hash || ': ' || wrong_inputs) as wrong_inputs,
        count(wrong_inputs) filter (where has_enough_inputs) as certain_input_count,
        min(transaction_hash || ': ' || wrong_inputs) filter (where has_enough_inputs) as certain_inputs,
        count(wrong_age) as wrong_age_count,
        min(coalesce(transaction_hash, 'one without a hash') || ': ' || wrong_age) as wrong_age,
        bool_or(has_unnamed_outputs) as has_unnamed_outputs,
        bool_or(has_unnamed_inputs) as has_unnamed_inputs,
        bool_or(lacks_output_figures) as lacks_output_figures,
        bool_or(lacks_input_figures) as lacks_input_figures,
        bool_or(lacks_age_figures) as lacks_age_figures,
        bool_or(lacks_inputs) as lacks_inputs
    from assessed_transactions
    group by chain, block_height, block_date

),

loaded_days as (

    select
        chain,
        block_date,
        sum(transaction_rows) > 0 as has_transactions,
        sum(output_rows) > 0 as has_outputs,
        sum(input_rows) > 0 as has_inputs,
        coalesce(bool_or(has_dump_rows), false) as has_dump_rows,
        coalesce(bool_or(has_dump_outputs), false) as has_dump_outputs,
        coalesce(bool_or(has_dump_inputs), false) as has_dump_inputs
    from assessed_transactions
    group by chain, block_date

),

blocks as (

    select
        chain,
        block_height,
        block_date,
        input_count,
        output_count,
        coalesce(is_settled, true) as is_settled
    from {{ ref('int_blocks_unioned') }}
    where {{ is_chain_with('chain', 'ledger', 'utxo') }} and {{ in_changed_days('block_time') }}

),

measured as materialized (

    select
        blocks.chain,
        blocks.block_height,
        blocks.block_date,
        block_parts.wrong_output_count,
        block_parts.wrong_outputs,
        block_parts.certain_output_count,
        block_parts.certain_outputs,
        block_parts.wrong_input_count,
        block_parts.wrong_inputs,
        block_parts.certain_input_count,
        block_parts.certain_inputs,
        block_parts.wrong_age_count,
        block_parts.wrong_age,
        block_parts.has_unnamed_outputs,
        block_parts.has_unnamed_inputs,
        block_parts.lacks_output_figures,
        block_parts.lacks_input_figures,
        block_parts.lacks_age_figures,
        block_parts.lacks_inputs,
        coalesce(block_parts.transaction_rows, 0) = 0 as has_no_transactions,
        case
            when not coalesce(loaded_days.has_transactions, false) then 'unverifiable: no transactions of this day are loaded'
            when coalesce(block_parts.transaction_rows, 0) = 0 and not loaded_days.has_dump_rows
                then 'unverifiable: the block''s transactions are not loaded yet'
        end as obstacle,
        case
            when not coalesce(loaded_days.has_outputs, false) then 'unverifiable: no outputs of this day are loaded'
            when coalesce(block_parts.output_rows, 0) = 0 and not loaded_days.has_dump_outputs
                then 'unverifiable: the block''s outputs are not loaded yet'
            when not blocks.is_settled and blocks.output_count is null
                then 'unverifiable: the block is not settled, and output_count is missing'
            when not blocks.is_settled and coalesce(block_parts.output_rows, 0) <> blocks.output_count
                then 'unverifiable: the block is not settled, and its outputs are not all loaded'
        end as output_obstacle,
        case
            when not coalesce(loaded_days.has_inputs, false) then 'unverifiable: no inputs of this day are loaded'
            when coalesce(block_parts.input_rows, 0) = 0 and (blocks.input_count > 1) is not false and not loaded_days.has_dump_inputs
                then 'unverifiable: the block''s inputs are not loaded yet'
            when not blocks.is_settled and blocks.input_count is null
                then 'unverifiable: the block is not settled, and input_count is missing'
            when not blocks.is_settled and coalesce(block_parts.input_rows, 0) <> blocks.input_count - 1
                then 'unverifiable: the block is not settled, and its inputs are not all loaded'
        end as input_obstacle
    from blocks
    left join block_parts
        on
            blocks.chain = block_parts.chain
            and blocks.block_height = block_parts.block_height
            and blocks.block_date = block_parts.block_date
    left join loaded_days
        on
            blocks.chain = loaded_days.chain
            and blocks.block_date = loaded_days.block_date

),

assessed as materialized (

    select
        chain,
        block_height,
        block_date,
        coalesce(
            obstacle,
            output_obstacle,
            case
                when wrong_output_count > 0 and not has_unnamed_outputs
                    then 'failed: outputs of ' || wrong_output_count || ' transactions, of ' || wrong_outputs
                when certain_output_count > 0
                    then 'failed: outputs of ' || certain_output_count || ' transactions, of ' || certain_outputs
                when has_no_transactions then 'unverifiable: the block has no transactions'
                when has_unnamed_outputs then 'unverifiable: the hash of a transaction is missing, or an output''s transaction_hash'
                when lacks_output_figures
                    then
                        'unverifiable: output_count, output_total or is_coinbase of a transaction is missing, or value, index or '
                        || 'is_from_coinbase of an output'
                else 'verified'
            end
        ) as transaction_outputs,
        coalesce(
            obstacle,
            input_obstacle,
            case
                when wrong_input_count > 0 and not has_unnamed_inputs
                    then 'failed: inputs of ' || wrong_input_count || ' transactions, of ' || wrong_inputs
                when certain_input_count > 0
                    then 'failed: inputs of ' || certain_input_count || ' transactions, of ' || certain_inputs
                when has_no_transactions then 'unverifiable: the block has no transactions'
                when has_unnamed_inputs
                    then 'unverifiable: the hash of a transaction is missing, or an input''s spending_transaction_hash'
                when lacks_input_figures
                    then
                        'unverifiable: input_count, input_total or is_coinbase of a transaction is missing, or value or '
                        || 'spending_index of an input'
                else 'verified'
            end
        ) as transaction_inputs,
        coalesce(
            obstacle,
            input_obstacle,
            case
                when wrong_age_count > 0
                    then 'failed: age of the inputs of ' || wrong_age_count || ' transactions, of ' || wrong_age
                when has_no_transactions then 'unverifiable: the block has no transactions'
                when lacks_age_figures
                    then
                        'unverifiable: lifespan, cdd, value, time or spending_time of an input is missing, or cdd_total of its '
                        || 'transaction'
                when lacks_inputs then 'unverifiable: a transaction has not as many inputs as it says'
                else 'verified'
            end
        ) as transaction_input_age
    from measured

)

{{ outcomes_by_check([
    'transaction_outputs',
    'transaction_inputs',
    'transaction_input_age',
]) }}
