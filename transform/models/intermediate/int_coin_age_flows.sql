{{ config(materialized='changed_days', indexes=[{'columns': ['chain', 'block_date']}]) }}
-- What became of the coins of each day of creation. It is small beside the outputs, and all that depends on age comes from it.
with

created as (

    select
        chain,
        block_date,
        block_date as created_date,
        'created' as event_type,
        -- null is what Blockchair says of an output that it has no doubt about
        coalesce(is_spendable, true) as is_spendable,
        false as is_young,
        value_base,
        cast(null as bigint) as lifespan_seconds
    from {{ ref('int_outputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

spent as (

    select
        chain,
        block_date,
        -- headers' times may run backwards: an output spent the day before it was made counts as made on that day
        least(created_date, block_date) as created_date,
        'spent' as event_type,
        coalesce(is_spendable, true) as is_spendable,
        -- below an hour; by the two times, where the source has no age
        coalesce(coalesce(lifespan_seconds, extract(epoch from block_time - created_time)) < 3600, false) as is_young,
        value_base,
        lifespan_seconds
    from {{ ref('int_inputs_unioned') }}
    where {{ in_changed_days('block_time') }}

),

flows as (

    select
        chain,
        block_date,
        created_date,
        event_type,
        is_spendable,
        is_young,
        value_base,
        lifespan_seconds
    from created

    union all

    select
        chain,
        block_date,
        created_date,
        event_type,
        is_spendable,
        is_young,
        value_base,
        lifespan_seconds
    from spent

)

select
    chain,
    block_date,
    created_date,
    event_type,
    is_spendable,
    is_young,
    count(*) as output_count,
    sum(value_base) as value_base,
    -- Coin Metrics counts full days, Blockchair fractions
    sum(value_base * (case when lifespan_seconds < 0 then 0 else lifespan_seconds end / 86400)) as full_coin_days_base,
    sum(value_base * lifespan_seconds) as coin_seconds_base
from flows
group by chain, block_date, created_date, event_type, is_spendable, is_young
