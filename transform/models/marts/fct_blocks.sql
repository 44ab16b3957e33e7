{# Indexes: a chain's days, which a load deletes, and days by their key, by which a report joins the calendar. #}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        indexes=[
            {'columns': ['chain', 'block_date']},
            {'columns': ['date_key']},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

blocks as (

    select
        chain,
        block_height,
        block_hash,
        block_time,
        block_date,
        median_time,
        difficulty,
        size_bytes,
        weight_wu,
        transaction_count,
        transaction_row_count,
        input_count,
        output_count,
        gas_used,
        gas_limit,
        input_total_base,
        output_total_base,
        fee_total_base,
        generation_base,
        uncle_generation_base,
        reward_base,
        burned_base,
        coin_days_destroyed,
        miner,
        is_aux,
        is_settled
    from {{ ref('int_blocks_unioned') }}
    where {{ in_changed_days('block_time') }}

),

measures as (

    select
        chain,
        block_height,
        is_final,
        previous_block_hash,
        block_interval_seconds,
        block_work,
        utilisation,
        gas_target,
        base_fee_base
    from {{ ref('int_blocks_measured') }}
    where {{ in_changed_days('block_date') }}

),

header_checks as (

    select
        chain,
        block_height,
        result
    from {{ ref('int_check_block_header_hash') }}
    where {{ in_changed_days('block_date') }}

),

reward_epochs as (

    select
        chain,
        first_height,
        lead(first_height) over (partition by chain order by first_height) as next_first_height
    from {{ ref('int_subsidies') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd', where='close_price_usd is not null') }})

select
    {{ surrogate_key(['blocks.chain', 'blocks.block_height']) }} as block_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('blocks.block_date') }} as date_key,
    blocks.chain,
    blocks.block_height,
    blocks.block_hash,
    blocks.block_time,
    blocks.block_date,
    blocks.median_time,
    measures.block_interval_seconds,
    blocks.difficulty,
    blocks.size_bytes,
    blocks.weight_wu,
    blocks.transaction_count,
    blocks.transaction_row_count,
    blocks.input_count,
    blocks.output_count,
    blocks.gas_used,
    blocks.gas_limit,
    blocks.input_total_base,
    blocks.output_total_base,
    blocks.fee_total_base,
    blocks.generation_base,
    blocks.reward_base,
    blocks.burned_base,
    {{ to_usd('blocks.fee_total_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_total_usd,
    {{ to_usd('blocks.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as reward_usd,
    case when prices.asset_key is null then 'missing' else 'priced' end as price_status,
    blocks.coin_days_destroyed,
    blocks.miner,
    blocks.is_aux,
    blocks.is_settled,
    coalesce(header_checks.result, 'not_checked') as header_check,
    {{ surrogate_key(['blocks.chain', miner_name('blocks.miner')]) }} as miner_key,
    cast(to_char(blocks.block_time at time zone 'UTC', 'HH24MI') as integer) as time_key,
    measures.previous_block_hash,
    measures.block_work,
    measures.utilisation,
    measures.gas_target,
    measures.base_fee_base,
    blocks.fee_total_base - blocks.burned_base as tip_base,
    {{ to_usd('blocks.burned_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as burned_usd,
    {{ to_usd('(blocks.fee_total_base - blocks.burned_base)', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as tip_usd,
    coalesce(measures.is_final, false) as is_final,
    blocks.uncle_generation_base,
    case
        when reward_epochs.chain is null then -1
        else {{ surrogate_key(['blocks.chain', "'reward'", 'reward_epochs.first_height']) }}
    end as reward_epoch_key,
    -- of chains whose difficulty is not set at each block
    case blocks.chain
        {% for chain in chains() if chain.retarget_blocks %}
            {% set first_height = '(blocks.block_height / ' ~ chain.retarget_blocks ~ ' * ' ~ chain.retarget_blocks ~ ')' %}
            when '{{ chain.name }}' then {{ surrogate_key(['blocks.chain', "'difficulty'", first_height]) }}
        {% endfor %}
        else -1
    end as difficulty_epoch_key
from blocks
left join measures on blocks.chain = measures.chain and blocks.block_height = measures.block_height
left join header_checks
    on
        blocks.chain = header_checks.chain
        and blocks.block_height = header_checks.block_height
left join reward_epochs
    on
        blocks.chain = reward_epochs.chain
        and blocks.block_height >= reward_epochs.first_height
        and (blocks.block_height < reward_epochs.next_first_height or reward_epochs.next_first_height is null)
left join assets on blocks.chain = assets.chain
left join prices
    on
        assets.asset_key = prices.asset_key
        and blocks.block_date = prices.close_date
