-- A block against its transactions: all checks that one reading of them allows. Rows of a block are those of its height and day.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
with recursive

transactions as (

    select
        chain,
        block_height,
        block_date,
        block_time,
        line_number,
        channel,
        is_coinbase,
        is_synthetic,
        has_witness,
        size_bytes,
        weight_wu,
        input_count,
        output_count,
        gas_used,
        input_total_base,
        value_base,
        internal_value_base,
        fee_base,
        coin_days_destroyed,
        transaction_reference,
        -- what a block counts: no calls of a synthetic row, and nothing that a coinbase spends; null where neither is known
        case when is_synthetic then 0 when not is_synthetic then call_count end as counted_calls,
        case when is_coinbase then 0 when not is_coinbase then input_total_base end as spent_base,
        case
            when chain = 'ethereum' then gas_used * gas_price_base
            when is_coinbase then 0
            when not is_coinbase then input_total_base - value_base
        end as expected_fee,
        case
            when chain <> 'ethereum' and transaction_hash ~ '^[0-9a-f]{64}$'
                then decode(transaction_hash, 'hex')
        end as hash_bytes
    from {{ ref('int_transactions_unioned') }}
    where {{ in_changed_days('block_time') }}
    -- keeps the hash from being decoded for each of the 32 times that reversing it names it
    offset 0 -- noqa: AM09

),

block_transactions as materialized (

    select
        chain,
        block_height,
        block_date,
        count(*) as row_count,
        bool_or(channel in ('dumps', 'mirror')) as has_dump_rows,
        count(*) filter (where is_coinbase) as coinbase_count,
        count(*) filter (where is_coinbase is null) as unknown_coinbase_count,
        case when count(*) = count(has_witness) then count(*) filter (where has_witness) end as witness_count,
        min(block_time) as first_time,
        max(block_time) as last_time,
        cast({{ complete_sum('size_bytes') | indent(8) }} as bigint) as size_bytes,
        cast({{ complete_sum('weight_wu') | indent(8) }} as bigint) as weight_wu,
        cast({{ complete_sum('input_count') | indent(8) }} as bigint) as input_count,
        cast({{ complete_sum('output_count') | indent(8) }} as bigint) as output_count,
        cast({{ complete_sum('counted_calls') | indent(8) }} as bigint) as call_count,
        cast({{ complete_sum('gas_used', needed='is_synthetic is not true') | indent(8) }} as bigint) as gas_used,
        {{ complete_sum('spent_base') | indent(8) }} as input_total_base,
        {{ complete_sum('value_base') | indent(8) }} as value_base,
        {{ complete_sum('internal_value_base') | indent(8) }} as internal_value_base,
        {{ complete_sum('fee_base', needed='is_synthetic is not true') | indent(8) }} as fee_base,
        {{ complete_sum('coin_days_destroyed') | indent(8) }} as coin_days_destroyed,
        count(*) filter (where fee_base <> expected_fee or fee_base < 0 or (is_coinbase and input_total_base <> 0)) as wrong_fee_count,
        min(
            concat(
                coalesce(transaction_reference, 'one without a hash'), ' has ', coalesce(cast(fee_base as text), 'none'),
                ' instead of ', coalesce(cast(expected_fee as text), 'what is not known')
            )
        ) filter (where fee_base <> expected_fee or fee_base < 0 or (is_coinbase and input_total_base <> 0)) as wrong_fee,
        count(*) filter (
            where is_synthetic is not true
            and (fee_base is null or expected_fee is null or (is_coinbase and input_total_base is null))
        ) as unknown_fee_count,
        count(*) filter (where line_number is null) as unplaced_count,
        count(*) filter (where hash_bytes is null) as unhashed_count,
        count(transaction_reference) filter (where hash_bytes is null) as malformed_count,
        min(transaction_reference) filter (where hash_bytes is null) as malformed_hash,
        string_agg({{ reverse_hash('hash_bytes') }}, '' order by line_number) as leaves
    from transactions
    group by chain, block_height, block_date

),

{{ merkle_roots('block_transactions', "chain <> 'ethereum' and unplaced_count = 0 and unhashed_count = 0") }},

loaded_days as (

    select
        chain,
        block_date,
        bool_or(has_dump_rows) as has_dump_rows
    from block_transactions
    group by chain, block_date

),

blocks as (

    select
        chain,
        block_height,
        block_date,
        block_time,
        merkle_root,
        size_bytes,
        weight_wu,
        transaction_row_count,
        witness_count,
        input_count,
        output_count,
        call_count,
        gas_used,
        input_total_base,
        output_total_base,
        value_total_base,
        internal_value_total_base,
        fee_total_base,
        coin_days_destroyed,
        coalesce(is_settled, true) as is_settled
    from {{ ref('int_blocks_unioned') }}
    where {{ in_changed_days('block_time') }}

),

measured as materialized (

    select
        coalesce(blocks.chain, block_transactions.chain) as chain,
        coalesce(blocks.block_height, block_transactions.block_height) as block_height,
        coalesce(blocks.block_date, block_transactions.block_date) as block_date,
        blocks.block_time,
        blocks.merkle_root,
        blocks.size_bytes,
        blocks.weight_wu,
        blocks.transaction_row_count,
        blocks.witness_count,
        blocks.input_count,
        blocks.output_count,
        blocks.call_count,
        blocks.gas_used,
        blocks.input_total_base,
        blocks.output_total_base,
        blocks.value_total_base,
        blocks.internal_value_total_base,
        blocks.fee_total_base,
        blocks.coin_days_destroyed,
        coalesce(block_transactions.row_count, 0) as row_count,
        block_transactions.coinbase_count,
        block_transactions.unknown_coinbase_count,
        block_transactions.witness_count as found_witness_count,
        block_transactions.first_time,
        block_transactions.last_time,
        block_transactions.size_bytes as transactions_size_bytes,
        block_transactions.weight_wu as transactions_weight_wu,
        block_transactions.input_count as found_input_count,
        block_transactions.output_count as found_output_count,
        block_transactions.call_count as found_call_count,
        block_transactions.gas_used as found_gas_used,
        block_transactions.input_total_base as found_input_total,
        block_transactions.value_base as found_value,
        block_transactions.internal_value_base as found_internal_value,
        block_transactions.fee_base as found_fee,
        block_transactions.coin_days_destroyed as found_coin_days_destroyed,
        block_transactions.wrong_fee_count,
        block_transactions.wrong_fee,
        block_transactions.unknown_fee_count,
        block_transactions.unplaced_count,
        block_transactions.unhashed_count,
        block_transactions.malformed_count,
        block_transactions.malformed_hash,
        -- of a block that says it has none there is nothing to miss
        coalesce(block_transactions.row_count, 0) = 0 and (blocks.transaction_row_count = 0) is not true as lacks_rows,
        roots.nodes as root,
        -- the header's 80 bytes and the count of transactions, whose own length grows with it
        80 + case
            when blocks.transaction_row_count < 253 then 1
            when blocks.transaction_row_count < 65536 then 3
            when blocks.transaction_row_count >= 65536 then 5
        end as frame_bytes,
        case
            when blocks.chain is null then 'unverifiable: no block of this height is loaded for this day'
            when block_transactions.chain is null and loaded_days.chain is null
                then 'unverifiable: no transactions of this day are loaded'
            -- what the API delivers comes block by block, a dump as a whole day
            when block_transactions.chain is null and not coalesce(loaded_days.has_dump_rows, false)
                then 'unverifiable: the block''s transactions are not loaded yet'
            when not blocks.is_settled and blocks.transaction_row_count is null
                then 'unverifiable: the block is not settled, and transaction_count is missing'
            when not blocks.is_settled and blocks.transaction_row_count <> coalesce(block_transactions.row_count, 0)
                then 'unverifiable: the block is not settled, and its transactions are not all loaded'
        end as obstacle
    from blocks
    full join block_transactions
        on
            blocks.chain = block_transactions.chain
            and blocks.block_height = block_transactions.block_height
            and blocks.block_date = block_transactions.block_date
    left join roots
        on
            block_transactions.chain = roots.chain
            and block_transactions.block_height = roots.block_height
            and block_transactions.block_date = roots.block_date
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
        case
            when chain <> 'ethereum'
                then
                    coalesce(
                        obstacle,
                        case
                            when merkle_root is null then 'unverifiable: merkle_root is missing'
                            when row_count is distinct from transaction_row_count
                                then 'unverifiable: there are not as many transactions as transaction_count says'
                            when malformed_count > 0
                                then 'failed: transaction hash: expected 64 lower-case hex digits, found ' || malformed_hash
                            when unhashed_count > 0 then 'unverifiable: the hash of a transaction is missing'
                            when unplaced_count > 0 then 'unverifiable: the order of the transactions is not known, as _line is missing'
                            when merkle_root = encode({{ reverse_hash('root') }}, 'hex') then 'verified'
                            else
                                'failed: merkle_root: expected ' || coalesce(encode({{ reverse_hash('root') }}, 'hex'), 'none')
                                || ' from the transaction hashes, found ' || merkle_root
                        end
                    )
        end as block_merkle_root,
        coalesce(
            obstacle,
            case
                when transaction_row_count is null and chain = 'ethereum'
                    then 'unverifiable: transaction_count or synthetic_transaction_count is missing'
                when transaction_row_count is null then 'unverifiable: transaction_count is missing'
                when row_count <> transaction_row_count
                    then 'failed: transaction_count: expected ' || transaction_row_count || ' rows, found ' || row_count
                when chain <> 'ethereum' and (coinbase_count > 1 or coinbase_count + unknown_coinbase_count < 1)
                    then 'failed: is_coinbase: expected 1 coinbase, found ' || coinbase_count
                when first_time <> block_time or last_time <> block_time
                    then
                        'failed: time: expected the block''s '
                        || to_char(block_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ', found '
                        || to_char(
                            case when first_time <> block_time then first_time else last_time end at time zone 'UTC',
                            'YYYY-MM-DD HH24:MI:SS'
                        )
                when chain <> 'ethereum' and unknown_coinbase_count > 0 then 'unverifiable: is_coinbase of a transaction is missing'
                when row_count > 0 and (block_time is null or first_time is null) then 'unverifiable: time is missing'
                else 'verified'
            end
        ) as block_transaction_count,
        coalesce(
            obstacle,
            case
                when lacks_rows then 'unverifiable: the block has no transactions to add up'
                when chain = 'ethereum'
                    then
                        {{ comparison([
                            ('gas_used', 'gas_used', 'case when row_count > 0 then found_gas_used else 0 end'),
                            ('fee_total', 'fee_total_base', 'case when row_count > 0 then found_fee else 0 end'),
                        ]) | indent(24) }}
                else
                    {{ comparison([
                        ('input_count', 'input_count', 'found_input_count'),
                        ('output_count', 'output_count', 'found_output_count'),
                        ('input_total', 'input_total_base', 'found_input_total'),
                        ('output_total', 'output_total_base', 'found_value'),
                        ('fee_total', 'fee_total_base', 'found_fee'),
                    ]) | indent(20) }}
            end
        ) as block_transaction_sums,
        case
            when {{ is_chain_with('chain', 'has_segwit') }}
                then
                    coalesce(
                        obstacle,
                        case
                            when lacks_rows then 'unverifiable: the block has no transactions to add up'
                            when {{ has_extension('chain', 'block_height') }}
                                then 'unverifiable: whether size and weight count the extension block is not known'
                            else
                                {{ comparison([
                                    ('size', 'frame_bytes + transactions_size_bytes', 'size_bytes'),
                                    ('weight', '4 * frame_bytes + transactions_weight_wu', 'weight_wu'),
                                    ('witness_count', 'witness_count', 'found_witness_count'),
                                ]) | indent(20) }}
                        end
                    )
        end as block_sizes,
        case
            when chain <> 'ethereum'
                then
                    coalesce(
                        obstacle,
                        case
                            when coin_days_destroyed is null or found_coin_days_destroyed is null then 'unverifiable: cdd_total is missing'
                            when row_count is distinct from transaction_row_count
                                then 'unverifiable: there are not as many transactions as transaction_count says'
                            -- both are sums of doubles
                            when
                                abs(coin_days_destroyed - found_coin_days_destroyed)
                                <= 0.000001 + 0.0000000000001 * abs(found_coin_days_destroyed)
                                then 'verified'
                            else
                                'failed: cdd_total: expected ' || found_coin_days_destroyed || ' from the transactions, found '
                                || coin_days_destroyed
                        end
                    )
        end as block_coin_days,
        case
            when chain <> 'ethereum'
                then
                    coalesce(
                        obstacle,
                        case
                            when lacks_rows then 'unverifiable: the block has no transactions'
                            when wrong_fee_count > 0
                                then
                                    'failed: fee: expected '
                                    || case when chain = 'ethereum' then 'gas_used x gas_price' else 'input_total - output_total' end
                                    || ', found ' || wrong_fee_count || ' that differ: ' || wrong_fee
                            when unknown_fee_count > 0 then 'unverifiable: a fee, or what it follows from, is missing'
                            else 'verified'
                        end
                    )
        end as transaction_fee,
        case
            when chain = 'ethereum'
                then
                    coalesce(
                        obstacle,
                        case
                            when lacks_rows then 'unverifiable: the block has no transactions'
                            when wrong_fee_count > 0
                                then
                                    'failed: fee: expected '
                                    || case when chain = 'ethereum' then 'gas_used x gas_price' else 'input_total - output_total' end
                                    || ', found ' || wrong_fee_count || ' that differ: ' || wrong_fee
                            when unknown_fee_count > 0 then 'unverifiable: a fee, or what it follows from, is missing'
                            else 'verified'
                        end
                    )
        end as transaction_gas_fee,
        case
            when chain = 'ethereum'
                then
                    coalesce(
                        obstacle,
                        case
                            when lacks_rows then 'unverifiable: the block has no transactions to add up'
                            else
                                {{ comparison([
                                    ('value_total', 'value_total_base', 'case when row_count > 0 then found_value else 0 end'),
                                    (
                                        'internal_value_total',
                                        'internal_value_total_base',
                                        'case when row_count > 0 then found_internal_value else 0 end',
                                    ),
                                    ('call_count', 'call_count', 'case when row_count > 0 then found_call_count else 0 end'),
                                ]) | indent(20) }}
                        end
                    )
        end as block_value_sums
    from measured

)

{{ outcomes_by_check([
    'block_merkle_root',
    'block_transaction_count',
    'block_transaction_sums',
    'block_sizes',
    'block_coin_days',
    'transaction_fee',
    'transaction_gas_fee',
    'block_value_sums',
]) }}
