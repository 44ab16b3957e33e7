-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
-- A figure that needs prices is reported where what it needs is priced, up to `unpriced_value_tolerance` of its value; beside it
-- stands the same over what is priced, named `_known`, and the part of the value that this is.
{% set needed = priced_part_needed() %}
{#- what each step below takes over from the one before as it is -#}
{% set told_of_a_day = [
    'asset_key', 'coins_per_base_unit', 'chain', 'block_date',
    'supply_base', 'supply_source', 'known_supply_base', 'coverage_ratio',
    'is_partial', 'close_price_usd', 'coingecko_market_cap_usd', 'live_base',
    'active_1y_base', 'long_term_base', 'unspent_output_count', 'priced_base',
    'realised_cap_known_usd', 'unpriced_value_usd', 'in_profit_base', 'in_loss_base',
    'live_coin_days_base', 'priced_spent_base', 'spent_value_usd', 'spent_cost_usd',
    'realised_profit_usd', 'realised_loss_usd', 'priced_adjusted_spent_base', 'adjusted_spent_value_usd',
    'adjusted_spent_cost_usd', 'full_coin_days_base', 'coin_seconds_base', 'has_all_blocks',
    'has_all_outputs', 'is_complete', 'spent_output_count', 'spent_base',
    'revived_1y_base', 'revived_2y_base', 'revived_5y_base', 'adjusted_spent_base',
    'market_cap_usd', 'priced_value_usd', 'issuance_usd', 'destroyed_coin_days_base'
] %}
with

supplies as (

    select
        chain,
        block_date,
        supply_base,
        supply_source,
        known_supply_base,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}

),

block_days as (

    select
        chain,
        block_date,
        generation_base,
        reward_base
    from {{ ref('int_blocks_daily') }}

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        has_all_outputs,
        has_all_inputs,
        is_complete
    from {{ ref('int_day_marks') }}

),

live_days as (

    select
        ages.chain,
        ages.block_date,
        sum(ages.live_base) as live_base,
        coalesce(sum(ages.live_base) filter (where age_bands.max_days < 365), 0) as active_1y_base,
        sum(ages.long_term_live_base) as long_term_base,
        cast(sum(ages.output_count) as bigint) as unspent_output_count,
        sum(ages.priced_base) as priced_base,
        round(sum(ages.realised_value_usd), 8) as realised_cap_known_usd,
        round(sum(ages.unpriced_value_usd), 8) as unpriced_value_usd,
        sum(ages.in_profit_base) as in_profit_base,
        sum(ages.in_loss_base) as in_loss_base,
        sum(ages.calendar_coin_days_base) as calendar_coin_days_base
    from {{ ref('int_supply_age_daily') }} as ages
    left join {{ ref('age_bands') }} as age_bands on ages.age_band = age_bands.age_band
    group by ages.chain, ages.block_date

),

spent_days as (

    select
        chain,
        block_date,
        spent_output_count,
        spent_base,
        revived_1y_base,
        revived_2y_base,
        revived_5y_base,
        priced_spent_base,
        spent_value_usd,
        spent_cost_usd,
        realised_profit_usd,
        realised_loss_usd,
        adjusted_spent_base,
        priced_adjusted_spent_base,
        adjusted_spent_value_usd,
        adjusted_spent_cost_usd,
        full_coin_days_base,
        coin_seconds_base,
        calendar_coin_days_base
    from {{ ref('int_spent_outputs_daily') }}

),

assets as (

    select
        asset_key,
        chain,
        base_unit_decimals,
        cast('1e-' || base_unit_decimals as numeric) as coins_per_base_unit
    from {{ ref('dim_asset') }}
    where chain is not null

),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd, coingecko_market_cap_usd') }}),

joined as (

    select
        assets.asset_key,
        assets.coins_per_base_unit,
        supplies.chain,
        supplies.block_date,
        supplies.supply_base,
        supplies.supply_source,
        supplies.known_supply_base,
        supplies.coverage_ratio,
        supplies.is_partial,
        prices.close_price_usd,
        prices.coingecko_market_cap_usd,
        live_days.live_base,
        live_days.active_1y_base,
        live_days.long_term_base,
        live_days.unspent_output_count,
        live_days.priced_base,
        live_days.realised_cap_known_usd,
        live_days.unpriced_value_usd,
        live_days.in_profit_base,
        live_days.in_loss_base,
        live_days.calendar_coin_days_base as live_coin_days_base,
        spent_days.priced_spent_base,
        spent_days.spent_value_usd,
        spent_days.spent_cost_usd,
        spent_days.realised_profit_usd,
        spent_days.realised_loss_usd,
        spent_days.priced_adjusted_spent_base,
        spent_days.adjusted_spent_value_usd,
        spent_days.adjusted_spent_cost_usd,
        spent_days.full_coin_days_base,
        spent_days.coin_seconds_base,
        coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
        coalesce(day_marks.has_all_outputs, false) as has_all_outputs,
        coalesce(day_marks.is_complete, false) as is_complete,
        -- nothing was spent only where all that was is loaded
        case when day_marks.has_all_inputs then coalesce(spent_days.spent_output_count, 0) end as spent_output_count,
        case when day_marks.has_all_inputs then coalesce(spent_days.spent_base, 0) end as spent_base,
        {%- for figure in ['revived_1y_base', 'revived_2y_base', 'revived_5y_base', 'adjusted_spent_base'] %}
            case when day_marks.has_all_inputs then coalesce(spent_days.{{ figure }}, 0) end as {{ figure }},
        {%- endfor %}
        {{ to_usd('supplies.supply_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as market_cap_usd,
        {{ to_usd('live_days.priced_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as priced_value_usd,
        {{ to_usd('block_days.generation_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as issuance_usd,
        block_days.generation_base,
        block_days.reward_base,
        -- exact, since it is summed
        block_days.reward_base * prices.close_price_usd * assets.coins_per_base_unit as revenue_usd,
        case
            when prices.close_price_usd is null
                then block_days.reward_base * closes.nearest_close_price * assets.coins_per_base_unit
            else 0
        end as unpriced_revenue_usd,
        case
            when prices.close_price_usd is null
                then supplies.supply_base * closes.nearest_close_price * assets.coins_per_base_unit
            else 0
        end as unpriced_market_cap_usd,
        sum(spent_days.calendar_coin_days_base) over chain_days as destroyed_coin_days_base
    from supplies
    left join block_days on supplies.chain = block_days.chain and supplies.block_date = block_days.block_date
    left join day_marks on supplies.chain = day_marks.chain and supplies.block_date = day_marks.marked_date
    left join live_days on supplies.chain = live_days.chain and supplies.block_date = live_days.block_date
    left join spent_days on supplies.chain = spent_days.chain and supplies.block_date = spent_days.block_date
    left join assets on supplies.chain = assets.chain
    left join prices on assets.asset_key = prices.asset_key and supplies.block_date = prices.close_date
    left join {{ ref('int_chain_closes') }} as closes on supplies.chain = closes.chain and supplies.block_date = closes.close_date
    window chain_days as (partition by supplies.chain order by supplies.block_date)

),

summed as (

    select
        {%- for column in told_of_a_day %}
            {{ column }},
        {%- endfor %}
        -- not known from the first day on whose reward is not
        case when count(reward_base) over chain_days = count(*) over chain_days then round(sum(revenue_usd) over chain_days, 8) end
            as revenue_to_date_usd,
        round(sum(unpriced_revenue_usd) over chain_days, 8) as unpriced_revenue_to_date_usd,
        case when count(issuance_usd) filter (where has_all_blocks) over chain_year = 365 then sum(issuance_usd) over chain_year end
            as issuance_year_usd,
        -- what Ethereum issues since the merge is in no block
        case
            when chain <> 'ethereum' and count(generation_base) filter (where has_all_blocks) over chain_year = 365
                then sum(generation_base) over chain_year
        end as issuance_year_base,
        {%- for figure in ['market_cap', 'priced_value'] %}
            count({{ figure }}_usd) over chain_days as {{ figure }}_count,
            sum({{ figure }}_usd) over chain_days as {{ figure }}_sum_usd,
            sum({{ figure }}_usd * {{ figure }}_usd) over chain_days as {{ figure }}_square_sum,
        {%- endfor %}
        sum(unpriced_market_cap_usd) over chain_days as unpriced_market_cap_sum_usd
    from joined
    window
        chain_days as (partition by chain order by block_date),
        chain_year as (partition by chain order by block_date range between interval '364 days' preceding and current row)

),

-- revenue of the whole history, so of one whose blocks are all there
covered as (

    select
        {%- for column in told_of_a_day %}
            {{ column }},
        {%- endfor %}
        issuance_year_usd,
        issuance_year_base,
        market_cap_count,
        market_cap_sum_usd,
        market_cap_square_sum,
        -- of nothing all is known
        coalesce(
            {{ quotient('coalesce(realised_cap_known_usd, 0)', 'coalesce(realised_cap_known_usd, 0) + unpriced_value_usd', 8) }},
            case when realised_cap_known_usd = 0 then 1.00000000 end
        ) as realised_cap_coverage_ratio,
        case when supply_source = 'generation' then revenue_to_date_usd end as thermo_cap_known_usd,
        case
            when supply_source = 'generation'
                then coalesce(
                    {{ quotient(
                        'coalesce(revenue_to_date_usd, 0)', 'coalesce(revenue_to_date_usd, 0) + unpriced_revenue_to_date_usd', 8
                    ) }},
                    case when revenue_to_date_usd = 0 then 1.00000000 end
                )
        end as thermo_cap_coverage_ratio,
        {{ quotient('priced_base', 'live_base', 8) }} as priced_ratio,
        {{ quotient('priced_spent_base', 'spent_base', 8) }} as sopr_coverage_ratio,
        {{ quotient('priced_adjusted_spent_base', 'adjusted_spent_base', 8) }} as adjusted_sopr_coverage_ratio,
        {{ standardised(
            'priced_value_usd - realised_cap_known_usd', 'priced_value_count', 'priced_value_sum_usd', 'priced_value_square_sum', 8
        ) }} as mvrv_z_score_known,
        case
            when supply_source = 'generation'
                then {{ quotient(
                    'coalesce(market_cap_sum_usd, 0)', 'coalesce(market_cap_sum_usd, 0) + unpriced_market_cap_sum_usd', 8
                ) }}
        end as mvrv_z_score_coverage_ratio
    from summed

),

final as (

    select
        {%- for column in told_of_a_day %}
            {{ column }},
        {%- endfor %}
        issuance_year_usd,
        issuance_year_base,
        market_cap_count,
        market_cap_sum_usd,
        market_cap_square_sum,
        realised_cap_coverage_ratio,
        thermo_cap_known_usd,
        thermo_cap_coverage_ratio,
        mvrv_z_score_coverage_ratio,
        priced_ratio,
        sopr_coverage_ratio,
        adjusted_sopr_coverage_ratio,
        mvrv_z_score_known,
        case when not is_partial and realised_cap_coverage_ratio >= {{ needed }} then realised_cap_known_usd end as realised_cap_usd,
        case when thermo_cap_coverage_ratio >= {{ needed }} then thermo_cap_known_usd end as thermo_cap_usd,
        priced_ratio >= {{ needed }} and close_price_usd is not null as are_coins_priced,
        sopr_coverage_ratio >= {{ needed }} as are_spends_priced,
        adjusted_sopr_coverage_ratio >= {{ needed }} as are_adjusted_spends_priced
    from covered

)

select
    {{ surrogate_key(['chain', 'block_date']) }} as valuation_day_key,
    coalesce(asset_key, -1) as asset_key,
    {{ date_key('block_date') }} as date_key,
    chain,
    block_date,
    close_price_usd,
    case when close_price_usd is null then 'missing' else 'priced' end as price_status,
    supply_base,
    supply_source,
    known_supply_base,
    live_base as counted_supply_base,
    active_1y_base as active_supply_1y_base,
    {{ quotient('active_1y_base', 'live_base', 8) }} as active_supply_1y_share,
    long_term_base as long_term_supply_base,
    {{ quotient('long_term_base', 'live_base', 8) }} as long_term_supply_share,
    unspent_output_count,
    coverage_ratio,
    is_partial,
    priced_base as priced_supply_base,
    priced_ratio,
    market_cap_usd,
    coingecko_market_cap_usd,
    realised_cap_usd,
    realised_cap_known_usd,
    realised_cap_coverage_ratio,
    {{ quotient('realised_cap_usd', 'live_base * coins_per_base_unit', 8) }} as realised_price_usd,
    {{ quotient('realised_cap_known_usd', 'priced_base * coins_per_base_unit', 8) }} as realised_price_known_usd,
    {{ quotient('market_cap_usd', 'realised_cap_usd', 8) }} as mvrv,
    {{ quotient('priced_value_usd', 'realised_cap_known_usd', 8) }} as mvrv_known,
    case when realised_cap_usd is not null then {{ quotient('market_cap_usd - realised_cap_usd', 'market_cap_usd', 8) }} end as nupl,
    {{ quotient('priced_value_usd - realised_cap_known_usd', 'priced_value_usd', 8) }} as nupl_known,
    case
        when mvrv_z_score_coverage_ratio >= {{ needed }}
            then {{ standardised(
                'market_cap_usd - realised_cap_usd', 'market_cap_count', 'market_cap_sum_usd', 'market_cap_square_sum', 8
            ) }}
    end as mvrv_z_score,
    mvrv_z_score_known,
    mvrv_z_score_coverage_ratio,
    case when are_coins_priced then in_profit_base end as in_profit_base,
    case when close_price_usd is not null then in_profit_base end as in_profit_known_base,
    case when are_coins_priced then {{ quotient('in_profit_base', 'priced_base', 8) }} end as in_profit_ratio,
    case when close_price_usd is not null then {{ quotient('in_profit_base', 'priced_base', 8) }} end as in_profit_known_ratio,
    case when are_coins_priced then in_loss_base end as in_loss_base,
    case when close_price_usd is not null then in_loss_base end as in_loss_known_base,
    spent_output_count,
    spent_base,
    priced_spent_base,
    revived_1y_base as revived_supply_1y_base,
    revived_2y_base as revived_supply_2y_base,
    revived_5y_base as revived_supply_5y_base,
    {%- for figure in ['spent_value', 'spent_cost', 'realised_profit', 'realised_loss'] %}
        case when are_spends_priced then {{ figure }}_usd end as {{ figure }}_usd,
        {{ figure }}_usd as {{ figure }}_known_usd,
    {%- endfor %}
    case when are_spends_priced then {{ quotient('spent_value_usd', 'spent_cost_usd', 8) }} end as sopr,
    {{ quotient('spent_value_usd', 'spent_cost_usd', 8) }} as sopr_known,
    sopr_coverage_ratio,
    adjusted_spent_base,
    priced_adjusted_spent_base,
    {%- for figure in ['adjusted_spent_value', 'adjusted_spent_cost'] %}
        case when are_adjusted_spends_priced then {{ figure }}_usd end as {{ figure }}_usd,
        {{ figure }}_usd as {{ figure }}_known_usd,
    {%- endfor %}
    case when are_adjusted_spends_priced then {{ quotient('adjusted_spent_value_usd', 'adjusted_spent_cost_usd', 8) }} end
        as adjusted_sopr,
    {{ quotient('adjusted_spent_value_usd', 'adjusted_spent_cost_usd', 8) }} as adjusted_sopr_known,
    adjusted_sopr_coverage_ratio,
    case when spent_base is not null then round(coalesce(full_coin_days_base, 0) * coins_per_base_unit, 18) end
        as full_coin_days_destroyed,
    case when spent_base is not null then {{ quotient('coalesce(coin_seconds_base, 0) * coins_per_base_unit', '86400', 18) }} end
        as coin_days_destroyed,
    {{ quotient('coin_seconds_base', 'spent_base * 86400', 8) }} as dormancy_days,
    {{ quotient('live_coin_days_base', 'live_base', 8) }} as mean_coin_age_days,
    case
        when not is_partial
            then {{ quotient(
                'coalesce(destroyed_coin_days_base, 0)', 'coalesce(destroyed_coin_days_base, 0) + live_coin_days_base', 8
            ) }}
    end as liveliness,
    issuance_usd,
    thermo_cap_usd,
    thermo_cap_known_usd,
    thermo_cap_coverage_ratio,
    {{ quotient('realised_cap_usd', 'thermo_cap_usd', 8) }} as rctc,
    {{ quotient('realised_cap_known_usd', 'thermo_cap_known_usd', 8) }} as rctc_known,
    {{ quotient('365 * issuance_usd', 'issuance_year_usd', 8) }} as puell_multiple,
    issuance_year_base as yearly_issuance_base,
    {{ quotient('issuance_year_base', 'supply_base', 8) }} as yearly_issuance_rate,
    {{ quotient('supply_base', 'issuance_year_base', 8) }} as stock_to_flow,
    is_complete as is_final,
    has_all_blocks,
    has_all_outputs
from final
