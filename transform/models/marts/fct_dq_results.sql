-- Not behind the gate: when a check fails, this is the table that says so while the others keep their last good rows.
with

outcomes as (

    select
        check_name,
        chain,
        block_date,
        result,
        reason,
        outcome_count,
        block_heights,
        -- a day can fail for thousands of reasons, each with its figures; a few of them say enough
        row_number() over (
            partition by check_name, chain, block_date, result
            order by block_heights, reason
        ) as place
    from {{ ref('int_check_days') }}

),

outcome_heights as (

    select
        outcomes.check_name,
        outcomes.chain,
        outcomes.block_date,
        array_agg(heights.block_height order by heights.block_height) filter (where outcomes.result = 'unverifiable')
            as unverifiable_heights,
        array_agg(heights.block_height order by heights.block_height) filter (where outcomes.result = 'failed') as failed_heights
    from outcomes
    cross join lateral unnest(outcomes.block_heights) as heights (block_height)
    where heights.block_height is not null
    group by outcomes.check_name, outcomes.chain, outcomes.block_date

),

check_days as (

    select
        check_name,
        chain,
        block_date,
        cast(coalesce(sum(outcome_count) filter (where result = 'verified'), 0) as bigint) as verified_count,
        cast(coalesce(sum(outcome_count) filter (where result = 'unverifiable'), 0) as bigint) as unverifiable_count,
        cast(coalesce(sum(outcome_count) filter (where result = 'failed'), 0) as bigint) as failed_count,
        string_agg(distinct reason, '; ') filter (where place <= 5) as reasons
    from outcomes
    group by check_name, chain, block_date

),

checks as (

    select
        dq_check_key,
        check_name,
        severity
    from {{ ref('dim_dq_check') }}

),

chain_assets as ({{ columns_of(ref('int_chains'), 'coingecko_id, chain') }})

select
    {{ surrogate_key(['check_days.check_name', 'check_days.chain', 'check_days.block_date']) }} as dq_result_key,
    coalesce(checks.dq_check_key, -1) as dq_check_key,
    {{ surrogate_key(['chain_assets.coingecko_id']) }} as asset_key,
    {{ date_key('check_days.block_date') }} as date_key,
    check_days.check_name,
    coalesce(checks.severity, 'integrity') as severity,
    check_days.chain,
    check_days.block_date,
    check_days.verified_count,
    check_days.unverifiable_count,
    check_days.failed_count,
    coalesce(outcome_heights.unverifiable_heights, '{}') as unverifiable_heights,
    coalesce(outcome_heights.failed_heights, '{}') as failed_heights,
    check_days.reasons
from check_days
left join outcome_heights
    on
        check_days.check_name = outcome_heights.check_name
        and check_days.chain = outcome_heights.chain
        and check_days.block_date = outcome_heights.block_date
left join checks on check_days.check_name = checks.check_name
left join chain_assets on check_days.chain = chain_assets.chain
