-- What a block's amounts have to be among themselves, by the chain's schedule, and, on Ethereum, after its parent's.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
{% set london = london_height() %}
with

blocks as materialized (

    select
        chain,
        block_height,
        block_date,
        uncle_count,
        gas_used,
        gas_limit,
        input_total_base,
        output_total_base,
        fee_total_base,
        generation_base,
        reward_base,
        base_fee_base as stated_base_fee,
        stated_burned_base,
        coalesce(stated_burned_base, burned_base) as burned_base,
        -- the dumps state no base fee, but the burn is a multiple of it
        case
            when base_fee_base is not null then base_fee_base
            when gas_used > 0 and mod(coalesce(stated_burned_base, burned_base), gas_used) = 0
                then div(coalesce(stated_burned_base, burned_base), gas_used)
        end as known_base_fee
    from {{ ref('int_blocks_unioned') }}
    where {{ in_lookback_of_changed_days(2) }}

),

linked as (

    select
        chain,
        block_height,
        block_date,
        uncle_count,
        gas_used,
        gas_limit,
        input_total_base,
        output_total_base,
        fee_total_base,
        generation_base,
        reward_base,
        stated_base_fee,
        stated_burned_base,
        burned_base,
        coalesce(lag(block_height) over by_height = block_height - 1, false) as has_parent,
        lag(gas_used) over by_height as parent_gas_used,
        -- London doubled the limit, and with it kept the target where it was
        lag(gas_limit) over by_height * case when block_height = {{ london }} then 2 else 1 end as parent_gas_limit,
        -- an empty block burns nothing, so its base fee follows from its own parent's only
        coalesce(
            lag(known_base_fee) over by_height,
            case
                when lag(block_height, 2) over by_height = block_height - 2 and block_height - 1 > {{ london }}
                    then
                        {{ next_base_fee(
                            'lag(known_base_fee, 2) over by_height',
                            'lag(gas_used, 2) over by_height',
                            'lag(gas_limit, 2) over by_height',
                        ) | indent(24) }}
            end
        ) as parent_base_fee
    from blocks
    window by_height as (partition by chain order by block_height)

),

subsidies as (

    select
        chain,
        first_height,
        subsidy_base,
        lead(first_height) over (partition by chain order by first_height) as stop_height
    from {{ ref('int_subsidies') }}

),

measured as materialized (

    select
        linked.chain,
        linked.block_height,
        linked.block_date,
        linked.gas_used,
        linked.gas_limit,
        linked.input_total_base,
        linked.output_total_base,
        linked.fee_total_base,
        linked.generation_base,
        linked.reward_base,
        linked.stated_base_fee,
        linked.stated_burned_base,
        linked.burned_base,
        linked.has_parent,
        linked.parent_gas_limit,
        subsidies.subsidy_base,
        -- the miner of an Ethereum block that names uncles gets a 32nd more for each
        subsidies.subsidy_base
        + case when linked.chain = 'ethereum' then linked.uncle_count else 0 end * div(subsidies.subsidy_base, 32) as most_generation,
        case
            when linked.chain <> 'ethereum' or linked.block_height < {{ london }} then null
            when linked.block_height = {{ london }} then cast(1000000000 as numeric)
            else {{ next_base_fee('linked.parent_base_fee', 'linked.parent_gas_used', 'linked.parent_gas_limit') }}
        end as expected_base_fee
    from linked
    left join subsidies
        on
            linked.chain = subsidies.chain
            and linked.block_height >= subsidies.first_height
            and (linked.block_height < subsidies.stop_height or subsidies.stop_height is null)
    where {{ in_changed_days('linked.block_date') }}

),

assessed as materialized (

    select
        chain,
        block_height,
        block_date,
        case
            when chain <> 'ethereum'
                then
                    {{ comparison([
                        ('reward', 'generation_base + fee_total_base', 'reward_base'),
                        ('output_total', 'input_total_base + generation_base', 'output_total_base'),
                    ]) | indent(24) }}
            when stated_burned_base is not null
                then
                    {{ comparison([
                        ('reward', 'generation_base + fee_total_base - stated_burned_base', 'reward_base'),
                    ]) | indent(24) }}
            when block_height < {{ london }} or gas_used = 0
                then {{ comparison([('reward', 'generation_base + fee_total_base', 'reward_base')]) | indent(24) }}
            when burned_base is null then 'unverifiable: reward, fee_total or generation is missing'
            when burned_base not between 0 and fee_total_base
                then
                    'failed: reward: expected generation to generation + fee_total, ' || generation_base || ' to '
                    || generation_base + fee_total_base || ', found ' || reward_base
            else 'unverifiable: the burn is not stated'
        end as block_reward,
        case
            when chain = 'ethereum' and block_height = 0 then 'unverifiable: the first block has no subsidy'
            when subsidy_base is null then 'unverifiable: no schedule for this chain'
            when generation_base is null then 'unverifiable: generation is missing'
            when most_generation is null then 'unverifiable: uncle_count is missing'
            -- less is in order: a miner may claim less than he could
            when generation_base <= most_generation then 'verified'
            else 'failed: generation: expected ' || most_generation || ' at most, found ' || generation_base
        end as block_subsidy,
        case
            when chain = 'ethereum' and block_height >= {{ london }}
                then
                    case
                        when gas_used is null or burned_base is null
                            then 'unverifiable: gas_used, reward, fee_total or generation is missing'
                        when block_height > {{ london }} and not has_parent then 'unverifiable: the parent block is not in the warehouse'
                        when expected_base_fee is null then 'unverifiable: the parent''s base fee does not follow from its burn'
                        when stated_base_fee <> expected_base_fee
                            then 'failed: base_fee_per_gas: expected ' || expected_base_fee || ', found ' || stated_base_fee
                        when burned_base = expected_base_fee * gas_used
                            then
                                case
                                    -- the dumps state neither
                                    when (stated_base_fee is null) <> (stated_burned_base is null)
                                        then 'unverifiable: base_fee_per_gas or burned_total is missing'
                                    else 'verified'
                                end
                        when stated_burned_base is not null
                            then 'failed: burned_total: expected ' || expected_base_fee * gas_used || ', found ' || burned_base
                        else
                            'failed: generation + fee_total - reward: expected base fee x gas_used, ' || expected_base_fee || ' x '
                            || gas_used || ' = ' || expected_base_fee * gas_used || ', found ' || burned_base
                    end
        end as block_base_fee,
        case
            when chain = 'ethereum'
                then
                    case
                        when gas_used is null or gas_limit is null then 'unverifiable: gas_used or gas_limit is missing'
                        when gas_used > gas_limit then 'failed: gas_used: expected ' || gas_limit || ' at most, found ' || gas_used
                        when not has_parent then 'unverifiable: the parent block is not in the warehouse'
                        when parent_gas_limit is null then 'unverifiable: the parent''s gas_limit is missing'
                        when abs(gas_limit - parent_gas_limit) < greatest(parent_gas_limit / 1024, 1) then 'verified'
                        else
                            'failed: gas_limit: expected within a 1024th of ' || parent_gas_limit || ', found ' || gas_limit
                    end
        end as block_gas_limit
    from measured

)

{{ outcomes_by_check([
    'block_reward',
    'block_subsidy',
    'block_base_fee',
    'block_gas_limit',
]) }}
