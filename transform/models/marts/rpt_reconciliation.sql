-- Not behind the gate: it reports how far a day is verified, also and above all when a check fails.
{% set groups = ['header', 'amounts', 'transactions', 'outputs_inputs', 'loading'] %}
with

results as (

    select
        dq_check_key,
        asset_key,
        date_key,
        check_name,
        chain,
        block_date,
        verified_count,
        unverifiable_count,
        failed_count,
        failed_heights,
        reasons
    from {{ ref('fct_dq_results') }}

),

checks as (

    select
        dq_check_key,
        check_group
    from {{ ref('dim_dq_check') }}

),

counted as (

    select
        results.asset_key,
        results.date_key,
        results.chain,
        results.block_date,
        -- every block has its outcome in this one check
        cast(coalesce(
            sum(results.verified_count + results.unverifiable_count + results.failed_count)
            filter (where results.check_name = 'block_parent'),
            0
        ) as bigint) as block_count,
        sum(results.verified_count) filter (where results.check_name = 'block_header_hash') as headers_verified,
        sum(results.verified_count + results.unverifiable_count + results.failed_count)
        filter (where results.check_name = 'block_header_hash') as headers_checked,
        {% for group in groups %}
            {% for result in ['verified', 'unverifiable', 'failed'] %}
                cast(coalesce(sum(results.{{ result }}_count) filter (where checks.check_group = '{{ group }}'), 0) as bigint)
                    as {{ group }}_{{ result }}_count,
            {% endfor %}
        {% endfor %}
        string_agg(results.check_name || ': ' || results.reasons, '; ' order by results.check_name) as reasons
    from results
    left join checks on results.dq_check_key = checks.dq_check_key
    group by results.asset_key, results.date_key, results.chain, results.block_date

),

load_days as (

    select
        load_id,
        table_name,
        unit,
        channel,
        -- such a load has the whole of its day
        channel in ('dumps', 'mirror') as is_whole_day,
        cast(generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval '1 day') as date) as block_date
    from {{ ref('stg_loader__load_ledger') }}
    where channel is not null

),

block_loads as (

    select
        chains.chain,
        load_days.load_id,
        load_days.channel,
        load_days.is_whole_day,
        load_days.block_date
    from load_days
    inner join {{ ref('int_chains') }} as chains on load_days.table_name = chains.table_prefix || '_blocks'
    where not load_days.is_whole_day or load_days.unit like '%/' || cast(load_days.block_date as text)

),

last_whole_days as (

    select
        chain,
        block_date,
        max(load_id) filter (where is_whole_day) as load_id
    from block_loads
    group by chain, block_date

),

sources as (

    select
        block_loads.chain,
        block_loads.block_date,
        string_agg(distinct block_loads.channel, ', ' order by block_loads.channel) as channels
    from block_loads
    inner join last_whole_days
        on block_loads.chain = last_whole_days.chain and block_loads.block_date = last_whole_days.block_date
    where last_whole_days.load_id is null or block_loads.load_id >= last_whole_days.load_id
    group by block_loads.chain, block_loads.block_date

),

archived as (

    select distinct
        chain,
        month
    from {{ ref('stg_loader__archived_months') }}

),

failures as (

    select
        results.chain,
        results.block_date,
        array_agg(distinct heights.block_height order by heights.block_height) as failed_heights
    from results
    cross join lateral unnest(results.failed_heights) as heights (block_height)
    group by results.chain, results.block_date

)

select
    {{ surrogate_key(['counted.chain', 'counted.block_date']) }} as reconciliation_key,
    counted.asset_key,
    counted.date_key,
    counted.chain,
    counted.block_date,
    sources.channels,
    counted.block_count,
    {{ quotient('counted.headers_verified', 'counted.headers_checked', 6) }} as header_verified_ratio,
    {% for group in groups %}
        {% for result in ['verified', 'unverifiable', 'failed'] %}
            counted.{{ group }}_{{ result }}_count,
        {% endfor %}
    {% endfor %}
    coalesce(failures.failed_heights, '{}') as failed_heights,
    counted.reasons,
    archived.chain is not null as is_archived
from counted
left join failures
    on
        counted.chain = failures.chain
        and counted.block_date = failures.block_date
left join sources on counted.chain = sources.chain and counted.block_date = sources.block_date
left join archived
    on counted.chain = archived.chain and cast(date_trunc('month', counted.block_date) as date) = archived.month
