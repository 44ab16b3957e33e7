-- Each input against the output that it spends, of whatever day, and against the inputs before it. A day depends on those
-- before it, so a change rebuilds all that follow.
{{
    config(
        materialized='incremental',
        incremental_strategy='changed_days',
        meta={'recheck_failed': true, 'onward': true},
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
        transaction_hash,
        value_base,
        recipient_key
    from {{ ref('int_outpoints') }}
    where is_spend and {{ in_changed_days('block_date') }}

),

outputs as (

    select
        outpoint_key,
        created_date,
        value_base,
        recipient_key
    from {{ ref('int_outpoints') }}
    where not is_spend

),

-- inputs whose output an input before them spent, and where that was first
respent as (

    select
        spends.outpoint_key,
        spends.spend_key,
        min(earlier.block_height) as first_height
    from spends
    inner join {{ ref('int_outpoints') }} as earlier
        on
            spends.outpoint_key = earlier.outpoint_key
            and earlier.is_spend
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
    group by spends.outpoint_key, spends.spend_key

),

matched as materialized (

    select
        spends.chain,
        spends.block_height,
        spends.block_date,
        spends.created_block_height,
        spends.created_date,
        spends.transaction_hash,
        outputs.outpoint_key is not null as is_found,
        nullif({{ differences([
            ('value', 'outputs.value_base', 'spends.value_base'),
            ('time', 'outputs.created_date', 'spends.created_date'),
        ]) | indent(8) }}, '') as difference,
        outputs.recipient_key <> spends.recipient_key as has_other_recipient,
        respent.first_height
    from spends
    left join outputs on spends.outpoint_key = outputs.outpoint_key
    left join respent on spends.outpoint_key = respent.outpoint_key and spends.spend_key = respent.spend_key

),

-- of which blocks outputs ought to be there, if an input spends one that is not: of a day that came as a dump, or of a
-- block of which others are
missing as (

    select distinct
        chain,
        created_block_height,
        created_date
    from matched
    where not is_found

),

missing_loaded as (

    select
        missing.chain,
        missing.created_block_height,
        missing.created_date,
        coalesce(bool_or(held.is_from_dump or held.block_height = missing.created_block_height), false) as is_loaded
    from missing
    left join {{ ref('int_outpoints') }} as held
        on
            missing.chain = held.chain
            and missing.created_date = held.block_date
            and not held.is_spend
    group by missing.chain, missing.created_block_height, missing.created_date

),

block_inputs as (

    select
        matched.chain,
        matched.block_height,
        matched.block_date,
        count(*) filter (where not matched.is_found and missing_loaded.is_loaded) as lost_count,
        min(matched.transaction_hash) filter (where not matched.is_found and missing_loaded.is_loaded) as lost,
        count(*) filter (where not matched.is_found and not missing_loaded.is_loaded) as unknown_count,
        count(matched.difference) as difference_count,
        min(matched.transaction_hash || ': ' || matched.difference) as difference,
        count(*) filter (where matched.has_other_recipient) as recipient_count,
        min(matched.transaction_hash) filter (where matched.has_other_recipient) as other_recipient,
        count(matched.first_height) as respent_count,
        min(matched.transaction_hash || ', first spent in block ' || matched.first_height) as respent
    from matched
    left join missing_loaded
        on
            matched.chain = missing_loaded.chain
            and matched.created_block_height = missing_loaded.created_block_height
            and matched.created_date = missing_loaded.created_date
    group by matched.chain, matched.block_height, matched.block_date

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
        block_date
    from {{ ref('int_blocks_unioned') }}
    where chain in ('bitcoin', 'dogecoin') and {{ in_changed_days('block_time') }}

),

measured as (

    select
        blocks.chain,
        blocks.block_height,
        blocks.block_date,
        coalesce(block_inputs.lost_count, 0) as lost_count,
        block_inputs.lost,
        coalesce(block_inputs.unknown_count, 0) as unknown_count,
        coalesce(block_inputs.difference_count, 0) as difference_count,
        block_inputs.difference,
        coalesce(block_inputs.recipient_count, 0) as recipient_count,
        block_inputs.other_recipient,
        coalesce(block_inputs.respent_count, 0) as respent_count,
        block_inputs.respent,
        case when loaded_days.chain is null then 'unverifiable: no inputs of this day are loaded' end as obstacle
    from blocks
    left join block_inputs
        on
            blocks.chain = block_inputs.chain
            and blocks.block_height = block_inputs.block_height
            and blocks.block_date = block_inputs.block_date
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
                when unknown_count > 0 then 'unverifiable: outputs that are spent here are of days that are not loaded'
                else 'verified'
            end
        ) as input_origin,
        coalesce(
            obstacle,
            case
                when respent_count > 0
                    then
                        'failed: transaction_hash and index: expected each output spent once, found ' || respent_count
                        || ' that were before, by ' || respent
                else 'verified'
            end
        ) as input_double_spend,
        coalesce(
            obstacle,
            case
                when recipient_count > 0
                    then
                        'failed: recipient and script_hex: expected those of the output, found others in ' || recipient_count
                        || ' inputs, of ' || other_recipient
                when unknown_count > 0 then 'unverifiable: outputs that are spent here are of days that are not loaded'
                else 'verified'
            end
        ) as input_recipient
    from measured

)

{{ outcomes_by_check([
    'input_origin',
    'input_double_spend',
    'input_recipient',
]) }}
