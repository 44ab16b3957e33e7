-- Not behind the gate: it says which days are not to be trusted, also and above all when a check fails.
with

block_days as (

    select
        chain,
        marked_date as block_date,
        has_all_blocks,
        has_all_transactions,
        -- a project may take blocks alone; then no day lacks transactions
        bool_or(has_all_transactions) over (partition by chain) as takes_transactions,
        is_complete
    from {{ ref('int_day_marks') }}
    where has_blocks

),

chain_spans as (

    select
        chain,
        min(block_date) as first_date,
        -- a chain that is behind the others lacks days
        max(max(block_date)) over () as newest_date
    from block_days
    group by chain

),

calendar as (

    select
        chain,
        cast(
            generate_series(cast(first_date as timestamp), cast(newest_date as timestamp), interval '1 day') as date
        ) as block_date
    from chain_spans

),

outcomes as (

    select
        chain,
        block_date,
        cast(sum(verified_count) as bigint) as verified_count,
        cast(sum(unverifiable_count) as bigint) as unverifiable_count,
        cast(sum(failed_count) as bigint) as failed_count
    from {{ ref('fct_dq_results') }}
    group by chain, block_date

),

archived as (

    select distinct
        chain,
        month
    from {{ ref('stg_loader__archived_months') }}

),

-- not from dim_asset, which waits for the gate
assets as ({{ columns_of(ref('int_chains'), 'coingecko_id, asset_name, chain') }})

select
    {{ surrogate_key(['calendar.chain', 'calendar.block_date']) }} as day_status_key,
    {{ surrogate_key(['assets.coingecko_id']) }} as asset_key,
    {{ date_key('calendar.block_date') }} as date_key,
    assets.coingecko_id,
    assets.asset_name,
    calendar.chain,
    calendar.block_date,
    case
        when block_days.chain is null then 'missing'
        when outcomes.failed_count > 0 then 'failed'
        when not block_days.has_all_blocks then 'partial'
        when block_days.takes_transactions and not block_days.has_all_transactions then 'partial'
        when outcomes.verified_count > 0 and outcomes.unverifiable_count = 0 then 'verified'
        else 'unverifiable'
    end as day_status,
    outcomes.verified_count,
    outcomes.unverifiable_count,
    outcomes.failed_count,
    coalesce(block_days.is_complete, false) as is_final,
    archived.chain is not null as is_archived
from calendar
left join block_days
    on calendar.chain = block_days.chain and calendar.block_date = block_days.block_date
left join outcomes
    on calendar.chain = outcomes.chain and calendar.block_date = outcomes.block_date
left join archived
    on calendar.chain = archived.chain and cast(date_trunc('month', calendar.block_date) as date) = archived.month
inner join assets on calendar.chain = assets.chain
