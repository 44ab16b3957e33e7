-- Not behind the gate: where sources differ, a check may well have failed.
with

differences as (

    select
        chain,
        table_name,
        block_date,
        source_name,
        compared_source_name,
        row_count,
        compared_row_count,
        column_name,
        difference_count,
        first_block_height,
        first_row,
        first_value,
        first_compared_value
    from {{ ref('int_source_differences') }}

),

-- not from dim_asset, which waits for the gate
assets as ({{ columns_of(ref('int_chains'), 'coingecko_id, chain') }})

select
    {{ surrogate_key(['differences.chain', 'differences.table_name', 'differences.block_date', 'differences.column_name']) }}
        as source_difference_key,
    {{ surrogate_key(['assets.coingecko_id']) }} as asset_key,
    {{ date_key('differences.block_date') }} as date_key,
    differences.chain,
    differences.block_date,
    differences.table_name,
    differences.column_name,
    differences.source_name,
    differences.compared_source_name,
    differences.row_count,
    differences.compared_row_count,
    differences.difference_count,
    differences.first_block_height,
    differences.first_row,
    differences.first_value,
    differences.first_compared_value
from differences
inner join assets on differences.chain = assets.chain
