{{ config(materialized='table') }}
-- How many coins there were at the end of each day, where that is known, and how many of them the outputs account for.
with

block_days as (

    select
        chain,
        block_date,
        generation_base,
        sum(generation_base) over chain_days as generated_base,
        sum(parentless_block_count) over chain_days = 0
        and min(first_block_height) over chain_days = 0
        and count(generation_base) over chain_days = count(*) over chain_days as has_all_blocks
    from {{ ref('int_blocks_daily') }}
    window chain_days as (partition by chain order by block_date)

),

known_days as (

    select
        chain,
        block_date,
        sum(all_base) as known_supply_base
    from {{ ref('int_supply_age_daily') }}
    group by chain, block_date

),

snapshot_days as (

    select
        chain,
        observed_date as block_date,
        supply_base as circulation_base
    from {{ ref('int_supply_snapshots') }}

),

days as (

    select
        chain,
        block_date
    from block_days
    union
    select
        chain,
        block_date
    from known_days

),

supplies as (

    select
        days.chain,
        days.block_date,
        block_days.generation_base,
        known_days.known_supply_base,
        -- a day within the chain that has no block loaded makes its successor's first block one without a parent
        case when block_days.has_all_blocks and days.chain <> 'ethereum' then block_days.generated_base end as generated_base,
        snapshot_days.circulation_base
    from days
    left join block_days on days.chain = block_days.chain and days.block_date = block_days.block_date
    left join known_days on days.chain = known_days.chain and days.block_date = known_days.block_date
    left join snapshot_days on days.chain = snapshot_days.chain and days.block_date = snapshot_days.block_date

)

select
    chain,
    block_date,
    generation_base,
    coalesce(generated_base, circulation_base) as supply_base,
    case
        when generated_base is not null then 'generation'
        when circulation_base is not null then 'snapshot'
        else 'unknown'
    end as supply_source,
    known_supply_base,
    {{ quotient('known_supply_base', 'coalesce(generated_base, circulation_base)', 8) }} as coverage_ratio,
    -- a snapshot is of some hour of the day and verifies nothing
    coalesce(generated_base <> known_supply_base, true) as is_partial
from supplies
