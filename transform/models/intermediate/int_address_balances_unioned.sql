-- Every balance of every snapshot. The dump has all addresses with a balance, the API the largest ones.
select
    chain,
    observed_at,
    {{ utc_date('observed_at') }} as observed_date,
    address,
    balance_base,
    coalesce(_channel = 'dumps', false) as is_whole
from {{ ref('stg_blockchair__utxo_addresses') }}

union all

select
    'ethereum' as chain,
    observed_at,
    {{ utc_date('observed_at') }} as observed_date,
    address,
    balance_base,
    coalesce(_channel = 'dumps', false) as is_whole
from {{ ref('stg_blockchair__ethereum_addresses') }}
