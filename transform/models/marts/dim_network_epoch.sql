-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

assets as (

    select
        chains.chain,
        chains.symbol,
        chains.base_unit_decimals
    from {{ ref('int_chains') }} as chains
    where
        chains.is_default
        or chains.chain in (select block_days.chain from {{ ref('int_blocks_daily') }} as block_days)

),

epochs as (

    select
        subsidies.chain,
        'reward' as epoch_kind,
        case when starts_with(subsidies.note, 'random') then 'up to ' else '' end
        || trim_scale(subsidies.subsidy_base * cast('1e-' || assets.base_unit_decimals as numeric))
        || ' ' || assets.symbol || ' a block' as epoch_name,
        subsidies.first_height as start_height,
        subsidies.subsidy_base as max_subsidy_base,
        'the chain''s node software' as epoch_source
    from {{ ref('int_subsidies') }} as subsidies
    inner join assets on subsidies.chain = assets.chain

    union all

    select
        forks.chain,
        'fork' as epoch_kind,
        forks.fork_name as epoch_name,
        forks.start_height,
        null as max_subsidy_base,
        forks.source as epoch_source
    from {{ ref('network_forks') }} as forks
    inner join assets on forks.chain = assets.chain

),

-- of chains whose difficulty is not set at each block, from the first loaded block to the last
retarget_rules (chain, block_count, rule_source) as (

    values
    {% for chain in chains() if chain.retarget_blocks %}
        ('{{ chain.name }}', {{ chain.retarget_blocks }}, '{{ chain.source }}'){{ "," if not loop.last }}
    {% endfor %}

),

loaded_heights as (

    select
        retarget_rules.chain,
        retarget_rules.block_count,
        retarget_rules.rule_source,
        min(block_days.first_block_height) as first_height,
        max(block_days.last_block_height) as last_height
    from retarget_rules
    inner join {{ ref('int_blocks_daily') }} as block_days on retarget_rules.chain = block_days.chain
    group by retarget_rules.chain, retarget_rules.block_count, retarget_rules.rule_source

),

retargets as (

    select
        chain,
        block_count,
        rule_source,
        generate_series(first_height / block_count, last_height / block_count) as retarget_number
    from loaded_heights

),

spans as (

    select
        chain,
        epoch_kind,
        epoch_name,
        row_number() over by_height as epoch_number,
        start_height,
        lead(start_height) over by_height - 1 as end_height,
        max_subsidy_base,
        epoch_source
    from epochs
    window by_height as (partition by chain, epoch_kind order by start_height)

    union all

    select
        chain,
        'difficulty' as epoch_kind,
        'difficulty from height ' || retarget_number * block_count as epoch_name,
        retarget_number + 1 as epoch_number,
        retarget_number * block_count as start_height,
        (retarget_number + 1) * block_count - 1 as end_height,
        null as max_subsidy_base,
        rule_source as epoch_source
    from retargets

),

-- by the block's key, of which there is an index
dated_blocks as (

    select
        block_key,
        block_date,
        difficulty
    from {{ ref('fct_blocks') }}

),

dated_spans as (

    select
        spans.chain,
        spans.epoch_kind,
        spans.epoch_name,
        spans.epoch_number,
        spans.start_height,
        spans.end_height,
        first_blocks.block_date as start_date,
        last_blocks.block_date as end_date,
        spans.max_subsidy_base,
        spans.epoch_source,
        case when spans.epoch_kind = 'difficulty' then first_blocks.difficulty end as difficulty
    from spans
    left join dated_blocks as first_blocks on first_blocks.block_key = {{ surrogate_key(['spans.chain', 'spans.start_height']) }}
    left join dated_blocks as last_blocks on last_blocks.block_key = {{ surrogate_key(['spans.chain', 'spans.end_height']) }}

),

-- no epoch is left out between two that are there
compared_spans as (

    select
        chain,
        epoch_kind,
        epoch_name,
        epoch_number,
        start_height,
        end_height,
        start_date,
        end_date,
        max_subsidy_base,
        epoch_source,
        difficulty,
        lag(difficulty) over (partition by chain, epoch_kind order by start_height) as difficulty_before
    from dated_spans

)

select
    {{ surrogate_key(['chain', 'epoch_kind', 'start_height']) }} as network_epoch_key,
    chain,
    epoch_kind,
    epoch_name,
    epoch_number,
    start_height,
    end_height,
    start_date,
    end_date,
    max_subsidy_base,
    epoch_source,
    difficulty,
    {{ quotient('difficulty - difficulty_before', 'difficulty_before', 18) }} as difficulty_change_ratio
from compared_spans

union all

select
    -1 as network_epoch_key,
    'unknown' as chain,
    'unknown' as epoch_kind,
    'unknown' as epoch_name,
    null as epoch_number,
    null as start_height,
    null as end_height,
    null as start_date,
    null as end_date,
    null as max_subsidy_base,
    'unknown' as epoch_source,
    null as difficulty,
    null as difficulty_change_ratio
