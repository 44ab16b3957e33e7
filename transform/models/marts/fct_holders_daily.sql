-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
{% set needed = priced_part_needed() %}
with

days as (

    select
        chain,
        block_date,
        coverage_ratio,
        is_partial
    from {{ ref('int_supply_daily') }}
    where chain <> 'ethereum'

),

live_terms as (

    {% for term in ['long', 'short'] %}
        select
            chain,
            block_date,
            '{{ term }}-term' as holder_term,
            sum({{ term }}_term_live_base) as live_base,
            sum({{ term }}_term_output_count) as output_count,
            sum({{ term }}_term_priced_base) as priced_base,
            round(sum({{ term }}_term_realised_value_usd), 8) as realised_cap_known_usd,
            round(sum({{ term }}_term_unpriced_value_usd), 8) as unpriced_value_usd
        from {{ ref('int_supply_age_daily') }}
        group by chain, block_date
        {{ "union all" if not loop.last }}
    {% endfor %}

),

spent_terms as (

    select
        chain,
        block_date,
        case when is_long_term then 'long-term' else 'short-term' end as holder_term,
        sum(spent_output_count) as spent_output_count,
        sum(spent_base) as spent_base,
        sum(priced_spent_base) as priced_spent_base,
        round(sum(spent_value_usd), 8) as spent_value_usd,
        round(sum(spent_cost_usd), 8) as spent_cost_usd
    from {{ ref('int_spent_ages_daily') }}
    group by chain, block_date, is_long_term

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

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, chain, base_unit_decimals') }}),

prices as ({{ columns_of(ref('fct_market_prices_daily'), 'asset_key, close_date, close_price_usd') }}),

terms as (

    select 'long-term' as holder_term
    union all
    select 'short-term' as holder_term

),

joined as (

    select
        assets.asset_key,
        days.chain,
        days.block_date,
        terms.holder_term,
        days.coverage_ratio,
        days.is_partial,
        prices.close_price_usd,
        live_terms.live_base,
        live_terms.output_count,
        live_terms.priced_base,
        live_terms.realised_cap_known_usd,
        {{ to_usd('live_terms.live_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as live_value_usd,
        {{ to_usd('live_terms.priced_base', 'assets.base_unit_decimals', 'prices.close_price_usd') }} as priced_value_usd,
        case
            when live_terms.live_base = 0 then 1.00000000
            else {{ quotient(
                'coalesce(live_terms.realised_cap_known_usd, 0)',
                'coalesce(live_terms.realised_cap_known_usd, 0) + live_terms.unpriced_value_usd', 8
            ) }}
        end as realised_cap_coverage_ratio,
        coalesce(day_marks.is_complete, false) as is_complete,
        coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
        coalesce(day_marks.has_all_outputs, false) as has_all_outputs,
        {{ spent_sums('spent_terms') }}
    from days
    cross join terms
    left join live_terms
        on
            days.chain = live_terms.chain
            and days.block_date = live_terms.block_date
            and terms.holder_term = live_terms.holder_term
    left join spent_terms
        on
            days.chain = spent_terms.chain
            and days.block_date = spent_terms.block_date
            and terms.holder_term = spent_terms.holder_term
    left join day_marks on days.chain = day_marks.chain and days.block_date = day_marks.marked_date
    left join assets on days.chain = assets.chain
    left join prices on assets.asset_key = prices.asset_key and days.block_date = prices.close_date

),

covered as (

    select
        asset_key,
        chain,
        block_date,
        holder_term,
        coverage_ratio,
        is_partial,
        close_price_usd,
        live_base,
        sum(live_base) over (partition by chain, block_date) as live_total_base,
        output_count,
        priced_base,
        case when not is_partial and realised_cap_coverage_ratio >= {{ needed }} then realised_cap_known_usd end as realised_cap_usd,
        realised_cap_known_usd,
        realised_cap_coverage_ratio,
        live_value_usd,
        priced_value_usd,
        is_complete,
        has_all_blocks,
        has_all_outputs,
        spent_output_count,
        spent_base,
        priced_spent_base,
        {{ spent_coverage() }}
    from joined

)

select
    {{ surrogate_key(['chain', 'block_date', 'holder_term']) }} as holders_day_key,
    coalesce(asset_key, -1) as asset_key,
    {{ date_key('block_date') }} as date_key,
    chain,
    block_date,
    holder_term,
    live_base as counted_supply_base,
    {{ quotient('live_base', 'live_total_base', 8) }} as supply_share,
    cast(output_count as bigint) as output_count,
    priced_base as priced_supply_base,
    realised_cap_usd,
    realised_cap_known_usd,
    realised_cap_coverage_ratio,
    {{ quotient('live_value_usd', 'realised_cap_usd', 8) }} as mvrv,
    {{ quotient('priced_value_usd', 'realised_cap_known_usd', 8) }} as mvrv_known,
    cast(spent_output_count as bigint) as spent_output_count,
    spent_base,
    priced_spent_base,
    {{ spent_in_usd() }},
    case when spent_coverage_ratio >= {{ needed }} then {{ quotient('spent_value_usd', 'spent_cost_usd', 8) }} end as sopr,
    {{ quotient('spent_value_usd', 'spent_cost_usd', 8) }} as sopr_known,
    spent_coverage_ratio,
    case when close_price_usd is null then 'missing' else 'priced' end as price_status,
    coverage_ratio,
    is_partial,
    is_complete as is_final,
    has_all_blocks,
    has_all_outputs
from covered
