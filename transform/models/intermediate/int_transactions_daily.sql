{{ config(materialized='changed_days') }}
-- Users' transactions only. Percentiles by rank are values that occur, exact where percentile_cont would make floats of them.
{% set percentiles = [10, 25, 75, 90] %}
{% set lower = 'filter (where rate_rank = (rate_count + 1) / 2)' %}
{% set upper = 'filter (where rate_rank = (rate_count + 2) / 2)' %}
with

transactions as (

    select
        chain,
        block_date,
        transaction_type,
        is_failed,
        fee_base,
        -- Ethereum's internal value has the value sent in it, and is zero where the transaction failed
        case
            when chain <> 'ethereum' then value_base
            when is_failed then 0
            else coalesce(internal_value_base, value_base)
        end as transfer_value_base,
        case when is_failed then 0 else value_base end as sent_value_base,
        {{ charged_size('chain', 'weight_wu', 'size_bytes', 'gas_used') | indent(4) }} as charged_size
    from {{ ref('int_transactions_unioned') }}
    where not is_coinbase and not is_synthetic and {{ in_changed_days('block_time') }}

),

rated as (

    select
        chain,
        block_date,
        transaction_type,
        is_failed,
        fee_base,
        transfer_value_base,
        sent_value_base,
        charged_size,
        {{ fee_rate('fee_base', 'charged_size', 'chain') | indent(4) }} as fee_rate
    from transactions

),

-- nulls sort last and are left out by their count
ranked as (

    select
        chain,
        block_date,
        transaction_type,
        is_failed,
        fee_base,
        transfer_value_base,
        sent_value_base,
        charged_size,
        fee_rate,
        row_number() over (partition by chain, block_date order by fee_base) as fee_rank,
        count(fee_base) over by_day as fee_count,
        row_number() over by_rate as rate_rank,
        count(fee_rate) over by_day as rate_count,
        sum(charged_size) filter (where fee_rate is not null) over (by_rate rows unbounded preceding) as size_below,
        sum(charged_size) filter (where fee_rate is not null) over by_day as size_total
    from rated
    window
        by_day as (partition by chain, block_date),
        by_rate as (partition by chain, block_date order by fee_rate, charged_size)

)

select
    chain,
    block_date,
    count(*) as transaction_count,
    count(*) filter (where is_failed) as failed_transaction_count,
    count(*) filter (where transaction_type in ('create', 'create_tree')) as contract_creation_count,
    count(*) filter (where fee_base = 0) as zero_fee_count,
    sum(fee_base) as fee_total_base,
    {{ quotient('sum(fee_base)', 'count(fee_base)', 8) }} as fee_mean_base,
    -- the middle one, or the mean of the middle two
    round((
        min(fee_base) filter (where fee_rank = (fee_count + 1) / 2) + min(fee_base) filter (where fee_rank = (fee_count + 2) / 2)
    ) * 0.5, 8) as fee_median_base,
    {%- for percentile in percentiles %}
        min(fee_base) filter (where fee_rank >= fee_count * {{ percentile }} / 100.0) as fee_p{{ percentile }}_base,
    {%- endfor %}
    -- of the exact rates, since the mean of two rounded ones would be rounded twice; in gwei on Ethereum
    {{ quotient(
        'min(fee_base) ' ~ lower ~ ' * min(charged_size) ' ~ upper ~ ' + min(fee_base) ' ~ upper ~ ' * min(charged_size) ' ~ lower,
        '2.0 * min(charged_size) ' ~ lower ~ ' * min(charged_size) ' ~ upper ~ " * case when chain = 'ethereum' then 1000000000 else 1 end",
        9
    ) }} as fee_rate_median,
    {%- for percentile in percentiles %}
        min(fee_rate) filter (where rate_rank >= rate_count * {{ percentile }} / 100.0) as fee_rate_p{{ percentile }},
    {%- endfor %}
    {%- for percentile in [10, 25, 50, 75, 90] %}
        min(fee_rate) filter (where size_below >= size_total * {{ percentile }} / 100.0) as fee_rate_weighted_p{{ percentile }},
    {%- endfor %}
    sum(transfer_value_base) as transfer_value_base,
    sum(sent_value_base) as sent_value_base
from ranked
group by chain, block_date
