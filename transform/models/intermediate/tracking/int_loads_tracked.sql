{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ one_at_a_time() }}", "create sequence if not exists {{ this.schema }}.change_id"],
        indexes=[{'columns': ['load_id'], 'unique': true}],
    )
}}
-- By the loads' own numbers and not by the greatest one seen: a smaller number may be committed after a greater one.
with

loads as (

    select
        load_id,
        table_name,
        first_day,
        last_day
    from {{ ref('stg_loader__load_ledger') }}

),

chain_assets as ({{ columns_of(ref('int_chains'), 'chain, table_prefix') }})

-- one chain's prefix may be the beginning of another's: the longest one counts
select distinct on (loads.load_id)
    loads.load_id,
    chain_assets.chain,
    substr(loads.table_name, length(chain_assets.table_prefix) + 2) as table_name,
    loads.first_day,
    loads.last_day,
    {{ next_change_id() }} as change_id
from loads
inner join chain_assets on starts_with(loads.table_name, chain_assets.table_prefix || '_')
{% if is_incremental() %}
    left join {{ this }} as tracked on loads.load_id = tracked.load_id
    where tracked.load_id is null
{% endif %}
order by loads.load_id asc, length(chain_assets.table_prefix) desc
