{#
  Indexes: a chain's days, and what a load deletes; a day by its key. None by value: for the largest of a week the planner
  would walk it through all the other weeks.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='changed_days',
        on_schema_change='append_new_columns',
        indexes=[
            {'columns': ['chain', 'block_date']},
            {'columns': ['date_key']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') }}
{% set thresholds = var('whale_thresholds_usd') | sort %}
with

transactions as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        block_time,
        block_date,
        input_count,
        output_count,
        value_base
    from {{ ref('int_transactions_unioned') }}
    where not is_coinbase and not is_synthetic and not is_failed and {{ in_changed_days('block_time') }}

),

blocks as (

    select
        chain,
        block_height,
        is_final
    from {{ ref('int_blocks_measured') }}
    where {{ in_changed_days('block_date') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd
    from {{ ref('fct_market_prices_daily') }}
    where close_price_usd is not null

),

-- change only ever lowers a value, so whoever is below the first threshold with it stays there without it
candidates as (

    select
        transactions.chain,
        transactions.block_height,
        transactions.transaction_reference,
        transactions.transaction_hash,
        transactions.block_time,
        transactions.block_date,
        transactions.input_count,
        transactions.output_count,
        transactions.value_base,
        assets.asset_key,
        assets.base_unit_decimals,
        prices.close_price_usd,
        coalesce(blocks.is_final, false) as is_final
    from transactions
    left join blocks on transactions.chain = blocks.chain and transactions.block_height = blocks.block_height
    left join assets on transactions.chain = assets.chain
    -- on a day without a close no transfer is known to be that large; its rows come with the price
    left join prices
        on
            assets.asset_key = prices.asset_key
            and transactions.block_date = prices.close_date
    where {{ to_usd('transactions.value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} >= {{ thresholds[0] }}

),

spenders as (

    select
        inputs.chain,
        inputs.block_height,
        inputs.transaction_hash,
        inputs.recipient,
        count(*) as input_count
    from {{ ref('int_inputs_unioned') }} as inputs
    inner join candidates
        on
            inputs.chain = candidates.chain
            and inputs.block_height = candidates.block_height
            and inputs.transaction_hash = candidates.transaction_hash
    where {{ in_changed_days('inputs.block_time') }}
    group by inputs.chain, inputs.block_height, inputs.transaction_hash, inputs.recipient

),

spent as (

    select
        chain,
        block_height,
        transaction_hash,
        cast(sum(input_count) as bigint) as input_count,
        count(recipient) as sender_count
    from spenders
    group by chain, block_height, transaction_hash

),

received as (

    select
        outputs.chain,
        outputs.block_height,
        outputs.transaction_hash,
        count(*) as output_count,
        sum(outputs.value_base) filter (where spenders.recipient is null) as net_value_base,
        count(distinct outputs.recipient) filter (where spenders.recipient is null and outputs.is_address) as recipient_count
    from {{ ref('int_outputs_unioned') }} as outputs
    inner join candidates
        on
            outputs.chain = candidates.chain
            and outputs.block_height = candidates.block_height
            and outputs.transaction_hash = candidates.transaction_hash
    left join spenders
        on
            outputs.chain = spenders.chain
            and outputs.block_height = spenders.block_height
            and outputs.transaction_hash = spenders.transaction_hash
            and outputs.recipient = spenders.recipient
    where {{ in_changed_days('outputs.block_time') }}
    group by outputs.chain, outputs.block_height, outputs.transaction_hash

),

measured as (

    select
        candidates.chain,
        candidates.block_height,
        candidates.transaction_reference,
        candidates.transaction_hash,
        candidates.block_time,
        candidates.block_date,
        candidates.asset_key,
        candidates.base_unit_decimals,
        candidates.close_price_usd,
        candidates.is_final,
        candidates.value_base as gross_value_base,
        -- the change is known where all inputs and outputs are loaded; an account's transaction has none
        case
            when candidates.chain = 'ethereum' then 'net'
            when candidates.input_count = spent.input_count and candidates.output_count = received.output_count then 'net'
            else 'gross'
        end as value_basis,
        coalesce(received.net_value_base, 0) as net_value_base,
        case when candidates.chain = 'ethereum' then 1 else spent.sender_count end as sender_count,
        case when candidates.chain = 'ethereum' then 1 else received.recipient_count end as recipient_count
    from candidates
    left join spent
        on
            candidates.chain = spent.chain
            and candidates.block_height = spent.block_height
            and candidates.transaction_hash = spent.transaction_hash
    left join received
        on
            candidates.chain = received.chain
            and candidates.block_height = received.block_height
            and candidates.transaction_hash = received.transaction_hash

),

valued as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        block_time,
        block_date,
        asset_key,
        gross_value_base,
        value_basis,
        case when value_basis = 'net' and chain <> 'ethereum' then net_value_base else gross_value_base end as value_base,
        case when value_basis = 'net' then sender_count end as sender_count,
        case when value_basis = 'net' then recipient_count end as recipient_count,
        base_unit_decimals,
        close_price_usd,
        is_final
    from measured

),

priced as (

    select
        chain,
        block_height,
        transaction_reference,
        transaction_hash,
        block_time,
        block_date,
        asset_key,
        gross_value_base,
        value_basis,
        value_base,
        sender_count,
        recipient_count,
        is_final,
        {{ to_usd('value_base', 'base_unit_decimals', 'close_price_usd') }} as value_usd
    from valued

)

select
    {{ surrogate_key(['chain', 'block_height', 'transaction_reference']) }} as transaction_key,
    {{ surrogate_key(['chain', 'block_height']) }} as block_key,
    asset_key,
    {{ date_key('block_date') }} as date_key,
    chain,
    block_height,
    transaction_reference,
    transaction_hash,
    block_time,
    block_date,
    value_base,
    gross_value_base,
    value_basis,
    value_usd,
    cast(case
        {%- for threshold in thresholds | reverse %}
            when value_usd >= {{ threshold }} then {{ threshold }}
        {%- endfor %}
    end as bigint) as band_usd,
    sender_count,
    recipient_count,
    is_final
from priced
where value_usd >= {{ thresholds[0] }}
