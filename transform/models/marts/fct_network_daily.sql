-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
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
        fee_total_base,
        generation_base,
        reward_base,
        uncle_generation_base,
        burned_base,
        net_issuance_base,
        -- what the miner got of the fees
        fee_total_base - case when chain = 'ethereum' then burned_base else 0 end as kept_fee_base,
        expected_hashes,
        timed_hashes,
        timed_seconds,
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
        data_base,
        transfer_value_base - data_base - self_churn_base as transfer_value_adj_v1_base
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

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete
    from {{ ref('int_day_marks') }}

),

supplies as (

    select
        chain,
        block_date,
        supply_base,
        supply_source
    from {{ ref('int_supply_daily') }}

),

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as (

    select
        asset_key,
        close_date,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd
    from {{ ref('fct_market_prices_daily') }}

),

valued_days as (

    select
        block_days.chain,
        block_days.block_date,
        day_marks.has_all_blocks,
        day_marks.has_all_transactions,
        day_marks.has_all_outputs,
        day_marks.is_complete,
        assets.asset_key,
        assets.base_unit_decimals,
        prices.close_price_usd,
        prices.coingecko_market_cap_usd,
        prices.volume_24h_usd,
        -- data outputs are known where outputs are loaded; a whole day without users' transactions moved nothing
        case
            when transaction_days.chain is null and day_marks.has_all_transactions then 0
            else transaction_days.transfer_value_base - coalesce(transfer_days.data_base, 0)
        end as transfer_value_base,
        transfer_days.transfer_value_adj_v1_base
    from block_days
    left join day_marks on block_days.chain = day_marks.chain and block_days.block_date = day_marks.marked_date
    left join transaction_days
        on block_days.chain = transaction_days.chain and block_days.block_date = transaction_days.block_date
    left join transfer_days
        on block_days.chain = transfer_days.chain and block_days.block_date = transfer_days.block_date
    left join assets on block_days.chain = assets.chain
    left join prices on assets.asset_key = prices.asset_key and block_days.block_date = prices.close_date

),

transferred_days as (

    select
        chain,
        block_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        asset_key,
        base_unit_decimals,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd,
        transfer_value_base,
        transfer_value_adj_v1_base,
        {{ to_usd('transfer_value_base', 'base_unit_decimals', 'close_price_usd') }} as transfer_value_usd,
        {{ to_usd('transfer_value_adj_v1_base', 'base_unit_decimals', 'close_price_usd') }} as transfer_value_adj_v1_usd
    from valued_days

),

-- sums and means over days are null unless every one of these is complete
year_days as (

    select
        chain,
        block_date,
        has_all_blocks,
        has_all_transactions,
        has_all_outputs,
        is_complete,
        asset_key,
        base_unit_decimals,
        close_price_usd,
        coingecko_market_cap_usd,
        volume_24h_usd,
        transfer_value_base,
        transfer_value_adj_v1_base,
        transfer_value_usd,
        transfer_value_adj_v1_usd,
        bool_and(has_all_outputs) over chain_days as had_all_outputs,
        case when count(*) filter (where has_all_transactions) over chain_year = 365 then sum(transfer_value_base) over chain_year end
            as transfer_value_year_base,
        case
            when count(transfer_value_usd) filter (where has_all_transactions) over chain_quarter = 90
                then sum(transfer_value_usd) over chain_quarter
        end as transfer_value_90d_usd,
        case
            when count(transfer_value_adj_v1_usd) filter (where has_all_outputs) over chain_quarter = 90
                then sum(transfer_value_adj_v1_usd) over chain_quarter
        end as transfer_value_adj_v1_90d_usd
    from transferred_days
    window
        chain_days as (partition by chain order by block_date),
        chain_quarter as (partition by chain order by block_date range between interval '89 days' preceding and current row),
        chain_year as (partition by chain order by block_date range between interval '364 days' preceding and current row)

)

select
    {{ surrogate_key(['block_days.chain', 'block_days.block_date']) }} as network_day_key,
    coalesce(year_days.asset_key, -1) as asset_key,
    {{ date_key('block_days.block_date') }} as date_key,
    block_days.chain,
    block_days.block_date,
    block_days.block_count,
    block_days.first_block_height,
    block_days.last_block_height,
    block_days.transaction_count,
    coalesce(transaction_days.transaction_count, 0) as loaded_transaction_count,
    block_days.fee_total_base,
    block_days.generation_base,
    block_days.reward_base,
    block_days.burned_base,
    {{ to_usd('block_days.fee_total_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as fee_total_usd,
    {{ to_usd('block_days.reward_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as reward_usd,
    year_days.close_price_usd,
    year_days.coingecko_market_cap_usd,
    year_days.volume_24h_usd,
    case when year_days.close_price_usd is null then 'missing' else 'priced' end as price_status,
    block_days.is_settled,

    -- issuance and revenue
    {{ to_usd('block_days.generation_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as generation_usd,
    {{ to_usd('block_days.burned_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as burned_usd,
    case when block_days.burned_base is not null then block_days.kept_fee_base end as tip_base,
    case
        when block_days.burned_base is not null
            then {{ to_usd('block_days.kept_fee_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }}
    end as tip_usd,
    {{ quotient('block_days.kept_fee_base', 'block_days.reward_base', 8) }} as fee_revenue_share,

    -- fees of users' transactions
    transaction_days.fee_mean_base,
    transaction_days.fee_median_base,
    {%- for percentile in percentiles %}
        transaction_days.fee_p{{ percentile }}_base,
    {%- endfor %}
    {{ to_usd('transaction_days.fee_mean_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as fee_mean_usd,
    {{ to_usd('transaction_days.fee_median_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as fee_median_usd,
    {%- for percentile in percentiles %}
        {{ to_usd('transaction_days.fee_p' ~ percentile ~ '_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }}
            as fee_p{{ percentile }}_usd,
    {%- endfor %}
    case when transaction_days.chain is null and year_days.has_all_transactions then 0 else transaction_days.zero_fee_count end
        as zero_fee_count,
    transaction_days.fee_rate_median,
    {%- for percentile in percentiles %}
        transaction_days.fee_rate_p{{ percentile }},
    {%- endfor %}
    {%- for percentile in [10, 25, 50, 75, 90] %}
        transaction_days.fee_rate_weighted_p{{ percentile }},
    {%- endfor %}

    -- what was moved, and by how many
    year_days.transfer_value_base,
    year_days.transfer_value_usd,
    year_days.transfer_value_adj_v1_base,
    year_days.transfer_value_adj_v1_usd,
    address_days.active_address_count,
    address_days.paying_address_count,
    address_days.paid_address_count,
    not coalesce(year_days.has_all_outputs, false) as is_address_count_partial,
    -- a day of which no address is loaded has none that is known, not none
    coalesce(new_address_days.new_address_count, case when address_days.chain is not null then 0 end) as new_address_count,
    -- a supply is generated where all blocks are there, and never on Ethereum
    not year_days.had_all_outputs or coalesce(supplies.supply_source, 'unknown') <> 'generation' as is_new_address_count_partial,
    case
        when year_days.has_all_transactions then {{ quotient('year_days.coingecko_market_cap_usd', 'year_days.transfer_value_usd', 8) }}
    end as nvt,
    {{ quotient('year_days.transfer_value_year_base', 'supplies.supply_base', 8) }} as velocity_1y,

    case
        when year_days.has_all_outputs then {{ quotient('year_days.coingecko_market_cap_usd', 'year_days.transfer_value_adj_v1_usd', 8) }}
    end as nvt_adj_v1,
    {{ quotient('90 * year_days.coingecko_market_cap_usd', 'year_days.transfer_value_90d_usd', 8) }} as nvt_90d_mean,
    {{ quotient('90 * year_days.coingecko_market_cap_usd', 'year_days.transfer_value_adj_v1_90d_usd', 8) }} as nvt_adj_v1_90d_mean,
    case
        when year_days.has_all_transactions then {{ quotient('year_days.transfer_value_usd', 'year_days.volume_24h_usd', 8) }}
    end as transfer_to_market_volume,
    {{ quotient('year_days.volume_24h_usd', 'year_days.coingecko_market_cap_usd', 8) }} as market_turnover,
    case
        when block_days.chain = 'ethereum'
            then {{ quotient(
                'year_days.transfer_value_base - transaction_days.sent_value_base', 'year_days.transfer_value_base', 8
            ) }}
    end as internal_value_share,
    block_days.net_issuance_base,
    {{ to_usd('block_days.net_issuance_base', 'year_days.base_unit_decimals', 'year_days.close_price_usd') }} as net_issuance_usd,

    -- the chain's capacity and security
    case when year_days.has_all_blocks then {{ quotient('block_days.expected_hashes', '86400', 8) }} end as hash_rate,
    case when block_days.timed_seconds > 0 then {{ quotient('block_days.timed_hashes', 'block_days.timed_seconds', 8) }} end
        as hash_rate_known,
    block_days.mean_difficulty,
    case
        when {{ is_chain_with('block_days.chain', 'has_segwit') }}
            then {{ quotient('block_days.weight_wu', 'block_days.block_count * 4000000', 8) }}
        when block_days.chain = 'ethereum' then {{ quotient('block_days.gas_used', 'block_days.gas_limit', 8) }}
    end as utilisation,
    block_days.gas_used,
    block_days.gas_limit,
    block_days.gas_target,
    {{ quotient('block_days.gas_used', 'block_days.gas_target', 8) }} as gas_used_to_target,
    block_days.base_fee_min_base,
    block_days.base_fee_max_base,
    block_days.base_fee_mean_base,
    block_days.base_fee_gas_mean_base,
    case
        when block_days.chain = 'ethereum' and transaction_days.chain is null and year_days.has_all_transactions then 0
        when block_days.chain = 'ethereum' then transaction_days.failed_transaction_count
    end as failed_transaction_count,
    case
        when block_days.chain = 'ethereum'
            then {{ quotient('transaction_days.failed_transaction_count', 'transaction_days.transaction_count', 8) }}
    end as failed_transaction_share,
    case
        when block_days.chain = 'ethereum' and transaction_days.chain is null and year_days.has_all_transactions then 0
        when block_days.chain = 'ethereum' then transaction_days.contract_creation_count
    end as contract_creation_count,

    -- coverage
    coalesce(year_days.is_complete, false) as is_final,
    coalesce(year_days.has_all_blocks, false) as has_all_blocks,
    coalesce(year_days.has_all_transactions, false) as has_all_transactions,
    coalesce(year_days.has_all_outputs, false) as has_all_outputs,
    block_days.uncle_generation_base,

    -- what the sums in USD are of, for means over several days: an unpriced day is in neither
    case when year_days.close_price_usd is not null then 1 else 0 end as priced_day_count,
    case when year_days.close_price_usd is not null then block_days.block_count else 0 end as priced_block_count,
    case when year_days.close_price_usd is not null then block_days.transaction_count else 0 end as priced_transaction_count
from block_days
left join year_days on block_days.chain = year_days.chain and block_days.block_date = year_days.block_date
left join transaction_days on block_days.chain = transaction_days.chain and block_days.block_date = transaction_days.block_date
left join address_days on block_days.chain = address_days.chain and block_days.block_date = address_days.block_date
left join new_address_days on block_days.chain = new_address_days.chain and block_days.block_date = new_address_days.block_date
left join supplies on block_days.chain = supplies.chain and block_days.block_date = supplies.block_date
