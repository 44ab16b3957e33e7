-- Each input against the output that it spends, of whatever day, and against the inputs before it. A day depends on those
-- before it, so a change rebuilds all that follow.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true, 'cumulative': true, 'reads_raw_for_text': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
with

spends as (

    select
        chain,
        block_height,
        block_date,
        outpoint_key,
        spend_key,
        created_block_height,
        created_date,
        value_base,
        recipient_key
    from {{ ref('int_spends') }}
    where {{ in_changed_days('block_date') }}

),

outputs as (

    select
        outpoint_key,
        block_height,
        block_date,
        value_base,
        recipient_key
    from {{ ref('int_outpoints') }}
    where outpoint_key is not null

),

-- inputs whose output an input before them spent, and where that was first
respent as (

    select
        spends.outpoint_key,
        spends.spend_key,
        spends.block_height,
        min(earlier.block_height) as first_height
    from spends
    inner join {{ ref('int_spends') }} as earlier
        on
            spends.outpoint_key = earlier.outpoint_key
            and spends.created_block_height = earlier.created_block_height
            and (
                spends.block_date > earlier.block_date
                or (
                    spends.block_date = earlier.block_date
                    and (
                        spends.block_height > earlier.block_height
                        or (spends.block_height = earlier.block_height and spends.spend_key > earlier.spend_key)
                    )
                )
            )
    group by spends.outpoint_key, spends.spend_key, spends.block_height

),

matched as materialized (

    select
        spends.chain,
        spends.block_height,
        spends.block_date,
        spends.created_block_height,
        spends.created_date,
        spends.spend_key,
        spends.outpoint_key is null as is_unnamed,
        spends.spend_key is null as is_unplaced,
        outputs.outpoint_key is not null as is_found,
        nullif({{ differences([
            ('value', 'outputs.value_base', 'spends.value_base'),
            ('time', 'outputs.block_date', 'spends.created_date'),
        ]) | indent(8) }}, '') as difference,
        -- null where one of them is
        outputs.value_base = spends.value_base and outputs.block_date = spends.created_date as is_same,
        outputs.recipient_key <> spends.recipient_key as has_other_recipient,
        respent.first_height
    from spends
    left join outputs
        on
            spends.outpoint_key = outputs.outpoint_key
            and spends.created_block_height = outputs.block_height
    left join respent
        on
            spends.outpoint_key = respent.outpoint_key
            and spends.block_height = respent.block_height
            and coalesce(spends.spend_key, 0) = coalesce(respent.spend_key, 0)

),

-- of which blocks outputs ought to be there, if an input spends one that is not: of a day that came as a dump, or of a
-- block of which others are
missing as (

    select distinct
        chain,
        created_block_height,
        created_date
    from matched
    where not is_found and not is_unnamed

),

missing_loaded as (

    select
        missing.chain,
        missing.created_block_height,
        missing.created_date,
        coalesce(bool_or(held.is_from_dump or held.block_height = missing.created_block_height), false) as is_loaded,
        coalesce(bool_or(held.chain is not null and held.outpoint_key is null), false) as has_unnamed
    from missing
    left join {{ ref('int_outpoints') }} as held
        on
            missing.chain = held.chain
            and missing.created_date = held.block_date
    group by missing.chain, missing.created_block_height, missing.created_date

),

located as materialized (

    select
        matched.*,
        coalesce(missing_loaded.is_loaded and not missing_loaded.has_unnamed, false) as is_lost,
        coalesce(not missing_loaded.is_loaded, false) as is_unknown,
        coalesce(missing_loaded.is_loaded and missing_loaded.has_unnamed, false) as has_unnamed_output
    from matched
    left join missing_loaded
        on
            not matched.is_found
            and not matched.is_unnamed
            and matched.chain = missing_loaded.chain
            and matched.created_block_height = missing_loaded.created_block_height
            and matched.created_date = missing_loaded.created_date

),

block_inputs as (

    select
        chain,
        block_height,
        block_date,
        count(*) as input_count,
        -- of several kinds of inputs whose output is not found only those are lost whose output ought to be there
        count(*) filter (where is_lost) as lost_count,
        count(*) filter (where is_unknown) as unknown_count,
        count(*) filter (where has_unnamed_output) as unnamed_output_count,
        count(*) filter (where is_unnamed) as unnamed_count,
        count(*) filter (where is_unplaced) as unplaced_count,
        count(*) filter (
            where (is_found and is_same is null)
            or (not is_found and not is_unnamed and created_date is null)
        ) as incomparable_count,
        count(difference) as difference_count,
        count(*) filter (where has_other_recipient) as recipient_count,
        count(*) filter (where is_found and has_other_recipient is null) as unknown_recipient_count,
        count(first_height) as respent_count
    from located
    group by chain, block_height, block_date

),

faults as (

    select
        chain,
        block_height,
        block_date,
        spend_key,
        is_lost,
        difference,
        has_other_recipient,
        first_height
    from located
    where is_lost or difference is not null or has_other_recipient or first_height is not null

),

-- who spends; where no input is at fault, PostgreSQL reads none of them
spenders as (

    select
        faults.*,
        coalesce(inputs.spending_transaction_hash, 'one without a hash or a place') as spender
    from faults
    left join {{ ref('stg_blockchair__utxo_inputs') }} as inputs
        on
            faults.block_height = inputs.spending_block_height
            and faults.chain = inputs.chain
            and faults.block_date = {{ utc_date('inputs.spending_time') }}
            and faults.spend_key
            = {{ known_key(['inputs.spending_block_height', 'inputs.spending_transaction_hash', 'inputs.spending_input_index']) }}
            and {{ in_changed_days('inputs.spending_time') }}

),

block_faults as (

    select
        chain,
        block_height,
        block_date,
        min(spender) filter (where is_lost) as lost,
        min(spender || ': ' || difference) as difference,
        min(spender) filter (where has_other_recipient) as other_recipient,
        min(spender || ', first spent in block ' || first_height) as respent
    from spenders
    group by chain, block_height, block_date

),

loaded_days as (

    select distinct
        chain,
        block_date
    from block_inputs

),

blocks as (

    select
        chain,
        block_height,
        block_date,
        -- a coinbase's input is in no table
        input_count - 1 as spending_count
    from {{ ref('int_blocks_unioned') }}
    where {{ is_chain_with('chain', 'ledger', 'utxo') }} and {{ in_changed_days('block_time') }}

),

measured as (

    select
        blocks.chain,
        blocks.block_height,
        blocks.block_date,
        coalesce(block_inputs.lost_count, 0) as lost_count,
        block_faults.lost,
        coalesce(block_inputs.difference_count, 0) as difference_count,
        block_faults.difference,
        coalesce(block_inputs.recipient_count, 0) as recipient_count,
        block_faults.other_recipient,
        coalesce(block_inputs.respent_count, 0) as respent_count,
        block_faults.respent,
        case
            when block_inputs.unnamed_count > 0 then 'unverifiable: block_id, transaction_hash or index of an input is missing'
        end as lacks_outpoint,
        case
            when block_inputs.unknown_count > 0 then 'unverifiable: outputs that are spent here are of days that are not loaded'
            when block_inputs.unnamed_output_count > 0
                then 'unverifiable: an output of the days that are spent from lacks its block_id, transaction_hash or index'
        end as lacks_output,
        case
            when block_inputs.incomparable_count > 0
                then 'unverifiable: value or time of an input is missing, or of the output that it spends'
        end as lacks_value,
        case
            when block_inputs.unknown_recipient_count > 0
                then 'unverifiable: recipient or script_hex of an input is missing, or of the output that it spends'
        end as lacks_recipient,
        case
            when block_inputs.unplaced_count > 0
                then 'unverifiable: spending_transaction_hash or spending_index of an input is missing'
        end as lacks_place,
        case
            when blocks.spending_count is null then 'unverifiable: input_count is missing'
            when blocks.spending_count <> coalesce(block_inputs.input_count, 0)
                then 'unverifiable: there are not as many inputs as input_count says'
        end as lacks_inputs,
        case when loaded_days.chain is null then 'unverifiable: no inputs of this day are loaded' end as obstacle
    from blocks
    left join block_inputs
        on
            blocks.chain = block_inputs.chain
            and blocks.block_height = block_inputs.block_height
            and blocks.block_date = block_inputs.block_date
    left join block_faults
        on
            blocks.chain = block_faults.chain
            and blocks.block_height = block_faults.block_height
            and blocks.block_date = block_faults.block_date
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
            case
                when lost_count > 0
                    then
                        'failed: transaction_hash and index: expected an output for each input, found none for '
                        || lost_count || ' of the inputs, of ' || lost
                when difference_count > 0
                    then 'failed: the outputs that ' || difference_count || ' inputs spend differ, of ' || difference
                else coalesce(lacks_outpoint, lacks_value, lacks_output, lacks_inputs, 'verified')
            end
        ) as input_origin,
        coalesce(
            obstacle,
            case
                when respent_count > 0
                    then
                        'failed: transaction_hash and index: expected each output spent once, found ' || respent_count
                        || ' that were before, by ' || respent
                else coalesce(lacks_outpoint, lacks_place, lacks_inputs, 'verified')
            end
        ) as input_double_spend,
        coalesce(
            obstacle,
            case
                when recipient_count > 0
                    then
                        'failed: recipient and script_hex: expected those of the output, found others in ' || recipient_count
                        || ' inputs, of ' || other_recipient
                else coalesce(lacks_outpoint, lacks_recipient, lacks_output, lacks_inputs, 'verified')
            end
        ) as input_recipient
    from measured

)

{{ outcomes_by_check([
    'input_origin',
    'input_double_spend',
    'input_recipient',
]) }}
