-- Not behind the gate: when a check fails, this is the table that says so while the others keep their last good rows.
with

checks as (

    select
        check_name,
        chain,
        block_height,
        block_date,
        result,
        reason
    from {{ ref('int_checks_unioned') }}

),

chain_assets as (

    select
        coingecko_id,
        chain
    from {{ ref('assets') }}

),

check_days as (

    select
        check_name,
        chain,
        block_date,
        count(*) filter (where result = 'verified') as verified_count,
        count(*) filter (where result = 'unverifiable') as unverifiable_count,
        count(*) filter (where result = 'failed') as failed_count,
        coalesce(array_agg(block_height order by block_height) filter (where result = 'unverifiable'), '{}') as unverifiable_heights,
        coalesce(array_agg(block_height order by block_height) filter (where result = 'failed'), '{}') as failed_heights,
        string_agg(distinct reason, '; ') as reasons
    from checks
    group by check_name, chain, block_date

)

select
    {{ surrogate_key(['check_days.check_name', 'check_days.chain', 'check_days.block_date']) }} as dq_result_key,
    {{ surrogate_key(['chain_assets.coingecko_id']) }} as asset_key,
    {{ date_key('check_days.block_date') }} as date_key,
    check_days.check_name,
    check_days.chain,
    check_days.block_date,
    check_days.verified_count,
    check_days.unverifiable_count,
    check_days.failed_count,
    check_days.unverifiable_heights,
    check_days.failed_heights,
    check_days.reasons
from check_days
left join chain_assets on check_days.chain = chain_assets.chain
