-- What is to be known of a chain's ISO week or month: which of its tables are all there for each of its days.
with

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        bool_and(has_all_outputs) over (partition by chain order by marked_date) as had_all_outputs
    from {{ ref('int_day_marks') }}
    where has_blocks

),

-- a supply is generated where all blocks from the first on are there, and never on Ethereum
generated_days as (

    select
        chain,
        block_date
    from {{ ref('int_supply_daily') }}
    where supply_source = 'generation'

),

history_days as (

    select
        day_marks.chain,
        day_marks.marked_date,
        day_marks.has_all_blocks,
        day_marks.has_all_transactions,
        day_marks.has_all_outputs,
        day_marks.is_complete,
        day_marks.had_all_outputs and generated_days.chain is not null as has_whole_history
    from day_marks
    left join generated_days on day_marks.chain = generated_days.chain and day_marks.marked_date = generated_days.block_date

),

period_days as (

    select
        chain,
        marked_date,
        'week' as period_kind,
        cast(date_trunc('week', marked_date) as date) as period_start_date,
        cast(date_trunc('week', marked_date) as date) + 6 as period_end_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        has_whole_history
    from history_days

    union all

    select
        chain,
        marked_date,
        'month' as period_kind,
        cast(date_trunc('month', marked_date) as date) as period_start_date,
        cast(date_trunc('month', marked_date) + interval '1 month' as date) - 1 as period_end_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        has_whole_history
    from history_days

),

counted_days as (

    select
        chain,
        period_kind,
        period_start_date,
        period_end_date,
        period_end_date - period_start_date + 1 as period_day_count,
        count(*) as loaded_day_count,
        count(*) filter (where has_all_blocks) as block_day_count,
        count(*) filter (where has_all_transactions) as transaction_day_count,
        count(*) filter (where has_all_outputs) as output_day_count,
        count(*) filter (where is_complete) as complete_day_count,
        coalesce(bool_or(has_whole_history) filter (where marked_date = period_end_date), false) as has_whole_history
    from period_days
    group by chain, period_kind, period_start_date, period_end_date

)

select
    chain,
    period_kind,
    period_start_date,
    period_end_date,
    loaded_day_count,
    block_day_count = period_day_count as has_all_blocks,
    transaction_day_count = period_day_count as has_all_transactions,
    output_day_count = period_day_count as has_all_outputs,
    complete_day_count = period_day_count as is_complete,
    -- what names the addresses of a chain
    case when chain = 'ethereum' then transaction_day_count else output_day_count end = period_day_count as has_all_addresses,
    has_whole_history
from counted_days
