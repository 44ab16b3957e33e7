-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set chains = chains() | selectattr('is_default', 'defined') | map(attribute='name') | sort %}
with

marks as (

    select
        chain,
        marked_date,
        has_blocks,
        is_complete,
        reward_epoch_number,
        is_price_gap
    from {{ ref('int_day_marks') }}

),

-- what is loaded says which day is the newest, never the clock
newest_marked as (

    select max(marked_date) as newest_day from marks

),

newest as (

    -- every day that a load touched is in the log, which is shorter to read than transactions
    select max(block_date) as newest_date from {{ ref('int_changed_days') }}
    union all
    select newest_day as newest_date from newest_marked
    union all
    select max({{ utc_date('loaded_at') }}) as newest_date from {{ ref('stg_loader__load_ledger') }}

),

horizon as (

    select
        greatest(
            cast('{{ var("date_horizon") }}' as date),
            cast(date_trunc('year', max(newest_date)) + interval '2 years' as date) - 1
        ) as last_date
    from newest

),

-- Bitcoin's first block is the oldest row there can be
days as (

    select cast(generate_series(timestamp '2009-01-03', cast(horizon.last_date as timestamp), interval '1 day') as date) as date_day
    from horizon

    union all

    select null as date_day

),

loaded_chains as (

    select count(distinct chain) as chain_count
    from marks
    where has_blocks

),

chain_days as (

    select
        {% for chain in chains %}
            bool_or(is_complete) filter (where chain = '{{ chain }}') as is_complete_{{ chain }},
            max(reward_epoch_number) filter (where chain = '{{ chain }}') as reward_epoch_{{ chain }},
            bool_or(is_price_gap) filter (where chain = '{{ chain }}') as is_price_gap_{{ chain }},
        {% endfor %}
        marked_date,
        count(*) filter (where is_complete) as complete_chain_count
    from marks
    group by marked_date

)

select
    {{ date_key('days.date_day') }} as date_key,
    days.date_day,
    cast(extract(year from days.date_day) as integer) as year_number,
    cast(extract(quarter from days.date_day) as integer) as quarter_number,
    cast(extract(month from days.date_day) as integer) as month_number,
    to_char(days.date_day, 'FMMonth') as month_name,
    cast(extract(day from days.date_day) as integer) as day_of_month,
    cast(extract(doy from days.date_day) as integer) as day_of_year,
    cast(extract(isoyear from days.date_day) as integer) as iso_year,
    cast(extract(week from days.date_day) as integer) as iso_week,
    cast(extract(isodow from days.date_day) as integer) as iso_day_of_week,
    to_char(days.date_day, 'FMDay') as day_name,
    extract(isodow from days.date_day) >= 6 as is_weekend,
    cast(date_trunc('week', days.date_day) as date) as week_start_date,
    cast(date_trunc('month', days.date_day) as date) as month_start_date,
    cast(date_trunc('quarter', days.date_day) as date) as quarter_start_date,
    cast(date_trunc('year', days.date_day) as date) as year_start_date,
    days.date_day - newest_marked.newest_day as day_offset,
    (cast(date_trunc('week', days.date_day) as date) - cast(date_trunc('week', newest_marked.newest_day) as date)) / 7 as week_offset,
    cast(
        12 * (extract(year from days.date_day) - extract(year from newest_marked.newest_day))
        + extract(month from days.date_day) - extract(month from newest_marked.newest_day) as integer
    ) as month_offset,
    cast(
        4 * (extract(year from days.date_day) - extract(year from newest_marked.newest_day))
        + extract(quarter from days.date_day) - extract(quarter from newest_marked.newest_day) as integer
    ) as quarter_offset,
    cast(extract(year from days.date_day) - extract(year from newest_marked.newest_day) as integer) as year_offset,
    {% for chain in chains %}
        coalesce(chain_days.is_complete_{{ chain }}, false) as is_complete_{{ chain }},
        chain_days.reward_epoch_{{ chain }},
        coalesce(chain_days.is_price_gap_{{ chain }}, false) as is_price_gap_{{ chain }},
    {% endfor %}
    -- on every chain that is loaded at all
    coalesce(chain_days.complete_chain_count > 0 and chain_days.complete_chain_count = loaded_chains.chain_count, false) as is_complete_day
from days
cross join newest_marked
cross join loaded_chains
left join chain_days on days.date_day = chain_days.marked_date
