-- What is to be known of a chain's ISO week or month: which of its tables are all there for each of its days.
with

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete
    from {{ ref('int_day_marks') }}
    where has_blocks

),

period_days as (

    select
        chain,
        'week' as period_kind,
        cast(date_trunc('week', marked_date) as date) as period_start_date,
        cast(date_trunc('week', marked_date) as date) + 6 as period_end_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete
    from day_marks

    union all

    select
        chain,
        'month' as period_kind,
        cast(date_trunc('month', marked_date) as date) as period_start_date,
        cast(date_trunc('month', marked_date) + interval '1 month' as date) - 1 as period_end_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete
    from day_marks

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
        count(*) filter (where is_complete) as complete_day_count
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
    case when chain = 'ethereum' then transaction_day_count else output_day_count end = period_day_count as has_all_addresses
from counted_days
