{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ one_at_a_time() }}", "create sequence if not exists {{ this.schema }}.change_id"],
        post_hook=["{{ write_log_watermarks() }}"],
        indexes=[{'columns': ['change_id']}],
    )
}}
-- depends_on: {{ ref('int_loads_tracked') }}
-- Loads whose heights int_chain_days does not have yet, since another run saw them, are that run's or the next one's to log.
{% set loads_since = logged_up_to('int_loads_tracked') %}
{% set prices_since = logged_up_to('int_price_changes') %}
with

loads as (

    select
        chain,
        table_name,
        first_day,
        last_day
    from {{ ref('int_loads_tracked') }}
    where change_id > {{ loads_since }} and change_id <= {{ heights_up_to() }}

),

loaded as (

    select distinct
        chain,
        table_name,
        cast(generate_series(cast(first_day as timestamp), cast(last_day as timestamp), interval '1 day') as date) as block_date
    from loads
    where first_day is not null

),

-- a block's interval, median time and link depend on at most eleven blocks below it
looked_at as (

    select distinct
        near.chain,
        near.block_date
    from loaded
    inner join {{ ref('int_chain_days') }} as changed
        on loaded.chain = changed.chain and loaded.block_date = changed.block_date
    inner join {{ ref('int_chain_days') }} as near
        on
            changed.chain = near.chain
            and changed.first_height < near.last_height
            and changed.last_height + 11 >= near.first_height
    where loaded.table_name = 'blocks'

),

priced as (

    select
        chain,
        close_date as block_date
    from {{ ref('int_price_changes') }}
    where change_id > {{ prices_since }}

),

-- a load that does not say its days, or rows that no load id leads to: any day may have changed
unknown as (

    select distinct
        chain,
        cast(null as date) as block_date
    from loads
    where first_day is null and table_name in ('blocks', 'transactions', 'outputs', 'inputs', 'calls', 'erc20_transactions', 'uncles')
    {% if untracked_tables() %}
        union all
        select
            cast(null as text) as chain,
            cast(null as date) as block_date
    {% endif %}

),

changed as (

    select
        chain,
        block_date,
        'load' as cause
    from loaded

    union

    select
        chain,
        block_date,
        'lookback' as cause
    from looked_at

    union

    select
        chain,
        block_date,
        'price' as cause
    from priced

    union

    select
        chain,
        block_date,
        'unknown' as cause
    from unknown

)

select
    {{ next_change_id() }} as change_id,
    chain,
    block_date,
    string_agg(cause, ', ' order by cause) as causes
from changed
group by chain, block_date
