-- depends_on: {{ ref('int_integrity_failures') }}
{% set percentiles = [10, 25, 75, 90] %}
with

block_days as (

    select
        chain,
        block_date,
        block_count,
        first_block_height,
        last_block_height,
        transaction_count,
        input_count,
        output_count,
        fee_total_base,
        generation_base,
        reward_base,
        burned_base,
        net_issuance_base,
        -- what the miner got of the fees
        fee_total_base - coalesce(burned_base, 0) as kept_fee_base,
        expected_hashes,
        mean_difficulty,
        weight_wu,
        gas_used,
        gas_limit,
        gas_target,
        base_fee_min_base,
        base_fee_max_base,
        base_fee_mean_base,
        base_fee_gas_mean_base,
        is_settled
    from {{ ref('int_blocks_daily') }}

),

-- the transactions table is opted into per chain, so its count stands beside the blocks' own
transaction_days as (

    select
        chain,
        block_date,
        transaction_count,
        failed_transaction_count,
        contract_creation_count,
        zero_fee_count,
        fee_mean_base,
        fee_median_base,
        {%- for percentile in percentiles %}
            fee_p{{ percentile }}_base,
        {%- endfor %}
        fee_rate_median,
        {%- for percentile in percentiles %}
            fee_rate_p{{ percentile }},
        {%- endfor %}
        {%- for percentile in [10, 25, 50, 75, 90] %}
            fee_rate_weighted_p{{ percentile }},
        {%- endfor %}
        transfer_value_base,
        sent_value_base
    from {{ ref('int_transactions_daily') }}

),

-- so are outputs and inputs
transfer_days as (

    select
        chain,
        block_date,
        output_count,
        input_count,
        transfer_value_base - self_churn_base as transfer_value_adj_v1_base
    from {{ ref('int_transfers_daily') }}

),

address_days as (

    select
        chain,
        block_date,
        active_address_count,
        paying_address_count,
        paid_address_count
    from {{ ref('int_addresses_daily') }}

),

new_address_days as (

    select
        chain,
        block_date,
        cast(sum(new_address_count) as bigint) as new_address_count
    from {{ ref('fct_new_addresses_daily') }}
    where not is_synthetic
    group by chain, block_date

),

supplies as (

    select
        chain,
        block_date,
        supply_base,
        supply_source
    from {{ ref('int_supply_daily') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals
    from {{ ref('dim_asset') }}

),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd,
        market_cap_usd,
        volume_24h_usd
    from {{ ref('fct_market_prices_daily') }}

),

complete_days as (

    select
        block_days.chain,
        block_days.block_date,
        transaction_days.transfer_value_base,
        coalesce(transaction_days.transaction_count, 0) as loaded_transaction_count,
        coalesce(coalesce(transaction_days.transaction_count, 0) = block_days.transaction_count, false) as has_all_transactions,
        coalesce(
            coalesce(transfer_days.output_count, 0) = block_days.output_count
            -- a coinbase counts as an input and has no row
            and coalesce(transfer_days.input_count, 0) = block_days.input_count - block_days.block_count,
            false
        ) as has_all_outputs,
        {{ to_usd('transaction_days.transfer_value_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as transfer_value_usd,
        {{ to_usd('transfer_days.transfer_value_adj_v1_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }}
            as transfer_value_adj_v1_usd
    from block_days
    left join transaction_days
        on block_days.chain = transaction_days.chain and block_days.block_date = transaction_days.block_date
    left join transfer_days
        on block_days.chain = transfer_days.chain and block_days.block_date = transfer_days.block_date
    left join assets on block_days.chain = assets.chain
    left join prices on assets.asset_key = prices.asset_key and block_days.block_date = prices.close_date

),

-- sums and means over days are told where every one of these is complete
year_days as (

    select
        chain,
        block_date,
        loaded_transaction_count,
        has_all_transactions,
        has_all_outputs,
        transfer_value_usd,
        transfer_value_adj_v1_usd,
        bool_and(has_all_outputs) over chain_days as had_all_outputs,
        case when count(*) filter (where has_all_transactions) over chain_year = 365 then sum(transfer_value_base) over chain_year end
            as transfer_value_year_base,
        case
            when count(transfer_value_usd) filter (where has_all_transactions) over chain_quarter = 90
                then avg(transfer_value_usd) over chain_quarter
        end as transfer_value_90d_mean_usd,
        case
            when count(transfer_value_adj_v1_usd) filter (where has_all_outputs) over chain_quarter = 90
                then avg(transfer_value_adj_v1_usd) over chain_quarter
        end as transfer_value_adj_v1_90d_mean_usd
    from complete_days
    window
        chain_days as (partition by chain order by block_date),
        chain_quarter as (partition by chain order by block_date range between interval '89 days' preceding and current row),
        chain_year as (partition by chain order by block_date range between interval '364 days' preceding and current row)

)

select
    {{ surrogate_key(['block_days.chain', 'block_days.block_date']) }} as network_day_key,
    coalesce(assets.asset_key, -1) as asset_key,
    {{ date_key('block_days.block_date') }} as date_key,
    block_days.chain,
    block_days.block_date,
    block_days.block_count,
    block_days.first_block_height,
    block_days.last_block_height,
    block_days.transaction_count,
    year_days.loaded_transaction_count,
    block_days.fee_total_base,
    block_days.generation_base,
    block_days.reward_base,
    block_days.burned_base,
    {{ to_usd('block_days.fee_total_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_total_usd,
    {{ to_usd('block_days.reward_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as reward_usd,
    prices.close_price_usd,
    prices.market_cap_usd,
    prices.volume_24h_usd,
    case when prices.close_price_usd is null then 'missing' else 'priced' end as price_status,
    block_days.is_settled,

    -- issuance and revenue
    {{ to_usd('block_days.generation_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as generation_usd,
    {{ to_usd('block_days.burned_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as burned_usd,
    case when block_days.burned_base is not null then block_days.kept_fee_base end as tip_base,
    case
        when block_days.burned_base is not null
            then {{ to_usd('block_days.kept_fee_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }}
    end as tip_usd,
    round(block_days.kept_fee_base / nullif(block_days.reward_base, 0), 8) as fee_revenue_share,

    -- fees of users' transactions
    transaction_days.fee_mean_base,
    transaction_days.fee_median_base,
    {%- for percentile in percentiles %}
        transaction_days.fee_p{{ percentile }}_base,
    {%- endfor %}
    {{ to_usd('transaction_days.fee_mean_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_mean_usd,
    {{ to_usd('transaction_days.fee_median_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as fee_median_usd,
    {%- for percentile in percentiles %}
        {{ to_usd('transaction_days.fee_p' ~ percentile ~ '_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }}
            as fee_p{{ percentile }}_usd,
    {%- endfor %}
    transaction_days.zero_fee_count,
    transaction_days.fee_rate_median,
    {%- for percentile in percentiles %}
        transaction_days.fee_rate_p{{ percentile }},
    {%- endfor %}
    {%- for percentile in [10, 25, 50, 75, 90] %}
        transaction_days.fee_rate_weighted_p{{ percentile }},
    {%- endfor %}

    -- what was moved, and by how many
    transaction_days.transfer_value_base,
    year_days.transfer_value_usd,
    transfer_days.transfer_value_adj_v1_base,
    year_days.transfer_value_adj_v1_usd,
    address_days.active_address_count,
    address_days.paying_address_count,
    address_days.paid_address_count,
    not year_days.has_all_outputs as is_address_count_partial,
    coalesce(new_address_days.new_address_count, 0) as new_address_count,
    -- a supply is generated where all blocks are there, and never on Ethereum
    not year_days.had_all_outputs or coalesce(supplies.supply_source, 'unknown') <> 'generation' as is_new_address_count_partial,
    case
        when year_days.has_all_transactions then round(prices.market_cap_usd / nullif(year_days.transfer_value_usd, 0), 8)
    end as nvt,
    round(year_days.transfer_value_year_base / nullif(supplies.supply_base, 0), 8) as velocity_1y,

    case
        when year_days.has_all_outputs then round(prices.market_cap_usd / nullif(year_days.transfer_value_adj_v1_usd, 0), 8)
    end as nvt_adj_v1,
    round(prices.market_cap_usd / nullif(year_days.transfer_value_90d_mean_usd, 0), 8) as nvt_90d_mean,
    round(prices.market_cap_usd / nullif(year_days.transfer_value_adj_v1_90d_mean_usd, 0), 8) as nvt_adj_v1_90d_mean,
    case
        when year_days.has_all_transactions then round(year_days.transfer_value_usd / nullif(prices.volume_24h_usd, 0), 8)
    end as transfer_to_market_volume,
    round(prices.volume_24h_usd / nullif(prices.market_cap_usd, 0), 8) as market_turnover,
    case
        when block_days.chain = 'ethereum'
            then round(
                (transaction_days.transfer_value_base - transaction_days.sent_value_base)
                / nullif(transaction_days.transfer_value_base, 0), 8
            )
    end as internal_value_share,
    block_days.net_issuance_base,
    {{ to_usd('block_days.net_issuance_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as net_issuance_usd,

    -- the chain's capacity and security
    round(block_days.expected_hashes / cast(86400 as numeric(30, 12)), 8) as hash_rate,
    block_days.mean_difficulty,
    case block_days.chain
        when 'bitcoin' then round(block_days.weight_wu / (block_days.block_count * cast(4000000 as numeric)), 8)
        when 'ethereum' then round(block_days.gas_used / nullif(cast(block_days.gas_limit as numeric), 0), 8)
    end as utilisation,
    block_days.gas_used,
    block_days.gas_limit,
    block_days.gas_target,
    round(block_days.gas_used / nullif(cast(block_days.gas_target as numeric), 0), 8) as gas_used_to_target,
    block_days.base_fee_min_base,
    block_days.base_fee_max_base,
    block_days.base_fee_mean_base,
    block_days.base_fee_gas_mean_base,
    case when block_days.chain = 'ethereum' then transaction_days.failed_transaction_count end as failed_transaction_count,
    case
        when block_days.chain = 'ethereum'
            then round(transaction_days.failed_transaction_count / nullif(cast(transaction_days.transaction_count as numeric), 0), 8)
    end as failed_transaction_share,
    case when block_days.chain = 'ethereum' then transaction_days.contract_creation_count end as contract_creation_count,

    -- coverage
    coalesce(block_days.is_settled, false) as is_final,
    year_days.has_all_transactions,
    year_days.has_all_outputs
from block_days
left join year_days on block_days.chain = year_days.chain and block_days.block_date = year_days.block_date
left join assets on block_days.chain = assets.chain
left join transaction_days on block_days.chain = transaction_days.chain and block_days.block_date = transaction_days.block_date
left join transfer_days on block_days.chain = transfer_days.chain and block_days.block_date = transfer_days.block_date
left join address_days on block_days.chain = address_days.chain and block_days.block_date = address_days.block_date
left join new_address_days on block_days.chain = new_address_days.chain and block_days.block_date = new_address_days.block_date
left join supplies on block_days.chain = supplies.chain and block_days.block_date = supplies.block_date
left join prices on assets.asset_key = prices.asset_key and block_days.block_date = prices.close_date
