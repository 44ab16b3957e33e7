-- Of each chain just its newest days are looked at again without a load, as many as the variable `recheck_days` says.
with

looked_at as (

    {{ days_to_recheck() if execute else "select chain, block_date from " ~ ref('int_chain_days') }}

),

newest as (

    select
        chains.chain,
        held.block_date
    from (select distinct chain from {{ ref('int_chain_days') }}) as chains
    cross join
        lateral (
            select chain_days.block_date
            from {{ ref('int_chain_days') }} as chain_days
            where chain_days.chain = chains.chain
            order by chain_days.block_date desc
            limit {{ var('recheck_days') }}
        ) as held

)

select
    coalesce(newest.chain, looked_at.chain) as chain,
    coalesce(newest.block_date, looked_at.block_date) as block_date,
    case when looked_at.chain is null then 'not looked at' else 'too old' end as what
from newest
full join looked_at on newest.chain = looked_at.chain and newest.block_date = looked_at.block_date
where newest.chain is null or looked_at.chain is null
