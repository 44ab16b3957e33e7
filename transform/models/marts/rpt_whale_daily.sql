-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

transfers as (

    select
        asset_key,
        date_key,
        chain,
        block_date,
        value_base,
        value_usd
    from {{ ref('fct_whale_transfers') }}

)

select
    {{ surrogate_key(['chain', 'block_date']) }} as whale_day_key,
    asset_key,
    date_key,
    chain,
    block_date,
    count(*) as transfer_count,
    sum(value_base) as value_base,
    -- as reports sum them, which hold four decimals of each
    sum(round(value_usd, 4)) as value_usd,
    max(round(value_usd, 4)) as largest_usd
from transfers
group by asset_key, date_key, chain, block_date
