{{
    config(
        materialized='changed_days',
        meta={'cumulative': true},
        indexes=[{'columns': ['chain', 'block_date']}],
    )
}}
-- For each day the outputs unspent at its end, by script type and size: those at the end of the last day that is kept, and
-- what came and went since. Of days whose outputs are not loaded none is known, nor what was spent of them.
with

kept_days as (

    {% if adds_rows() %}
        select
            held.chain,
            max(held.block_date) as block_date
        from {{ rows_so_far() }} as held
        where not {{ in_changed_days('block_date') }}
        group by held.chain
    {% else %}
        select
            cast(null as text) as chain,
            cast(null as date) as block_date
        where false
    {% endif %}

),

kept as (

    {% if adds_rows() %}
        select
            held.chain,
            held.block_date,
            held.script_type,
            held.output_size_band,
            held.output_count,
            held.value_base,
            held.dust_output_count,
            held.dust_base
        from {{ rows_so_far() }} as held
        inner join kept_days on held.chain = kept_days.chain and held.block_date = kept_days.block_date
    {% else %}
        select
            cast(null as text) as chain,
            cast(null as date) as block_date,
            cast(null as text) as script_type,
            cast(null as text) as output_size_band,
            cast(null as bigint) as output_count,
            cast(null as numeric) as value_base,
            cast(null as bigint) as dust_output_count,
            cast(null as numeric) as dust_base
        where false
    {% endif %}

),

transfer_days as (

    select
        chain,
        block_date,
        output_count
    from {{ ref('int_transfers_daily') }}

),

spans as (

    select
        chain,
        min(block_date) as first_date,
        max(block_date) as last_date
    from transfer_days
    group by chain

),

days as (

    select
        spans.chain,
        cast(generate_series(
            cast(coalesce(kept_days.block_date + 1, spans.first_date) as timestamp), cast(spans.last_date as timestamp), interval '1 day'
        ) as date) as block_date
    from spans
    left join kept_days on spans.chain = kept_days.chain

),

chain_assets as ({{ columns_of(ref('int_chains'), 'chain, base_unit_decimals') }}),

-- each band with the numbers of digits that a value of it may have in base units; a value of 0 has none
band_digits as (

    select
        chain_assets.chain,
        bands.output_size_band,
        generate_series(
            case
                when bands.min_value_native > 0
                    then length(cast(trunc(bands.min_value_native * cast('1e' || chain_assets.base_unit_decimals as numeric)) as text))
                else 0
            end,
            coalesce(
                length(cast(trunc(bands.max_value_native * cast('1e' || chain_assets.base_unit_decimals as numeric)) as text)) - 1, 78
            )
        ) as digit_count
    from {{ ref('output_size_bands') }} as bands
    cross join chain_assets

),

flows as (

    select
        chain,
        block_date,
        created_date,
        script_type,
        digit_count,
        output_count,
        value_base,
        dust_output_count,
        dust_base
    from {{ ref('int_output_size_flows') }}
    where {{ in_changed_days('block_date') }}

),

moves as (

    select
        flows.chain,
        flows.block_date,
        flows.script_type,
        band_digits.output_size_band,
        sum(flows.output_count) as output_count,
        sum(flows.value_base) as value_base,
        sum(flows.dust_output_count) as dust_output_count,
        sum(flows.dust_base) as dust_base
    from flows
    inner join transfer_days as created_days
        on
            flows.chain = created_days.chain
            and flows.created_date = created_days.block_date
            and created_days.output_count > 0
    inner join band_digits on flows.chain = band_digits.chain and flows.digit_count = band_digits.digit_count
    group by flows.chain, flows.block_date, flows.script_type, band_digits.output_size_band

),

known as (

    select
        chain,
        block_date,
        script_type,
        output_size_band
    from kept

    union all

    select
        chain,
        block_date,
        script_type,
        output_size_band
    from moves

),

-- a type and band has a row from the first day on that an output of it is known
kinds as (

    select
        chain,
        script_type,
        output_size_band,
        min(block_date) as first_date
    from known
    group by chain, script_type, output_size_band

)

select
    kinds.chain,
    days.block_date,
    kinds.script_type,
    kinds.output_size_band,
    cast(coalesce(kept.output_count, 0) + sum(coalesce(moves.output_count, 0)) over kind_days as bigint) as output_count,
    coalesce(kept.value_base, 0) + sum(coalesce(moves.value_base, 0)) over kind_days as value_base,
    -- null where the limit is not known, so that there is nothing to add up
    cast(coalesce(
        kept.dust_output_count + coalesce(sum(moves.dust_output_count) over kind_days, 0), sum(moves.dust_output_count) over kind_days
    ) as bigint) as dust_output_count,
    coalesce(kept.dust_base + coalesce(sum(moves.dust_base) over kind_days, 0), sum(moves.dust_base) over kind_days) as dust_base
from kinds
inner join days on kinds.chain = days.chain and kinds.first_date <= days.block_date
left join kept
    on
        kinds.chain = kept.chain
        and kinds.script_type = kept.script_type
        and kinds.output_size_band = kept.output_size_band
left join moves
    on
        kinds.chain = moves.chain
        and days.block_date = moves.block_date
        and kinds.script_type = moves.script_type
        and kinds.output_size_band = moves.output_size_band
window kind_days as (
    partition by kinds.chain, kinds.script_type, kinds.output_size_band order by days.block_date
)
