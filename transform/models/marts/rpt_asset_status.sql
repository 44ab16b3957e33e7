-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

assets as ({{ columns_of(ref('dim_asset'), 'asset_key, coingecko_id, chain', 'asset_key <> -1') }}),

status_days as (

    select
        asset_key,
        block_date,
        day_status,
        min(block_date) filter (where day_status in ('missing', 'partial')) over of_asset as first_incomplete_date,
        min(block_date) filter (where day_status in ('missing', 'partial', 'failed')) over of_asset as first_unsound_date,
        min(block_date) filter (where day_status <> 'verified') over of_asset as first_unverified_date
    from {{ ref('rpt_day_status') }}
    window of_asset as (partition by asset_key)

),

chain_days as (

    select
        asset_key,
        min(block_date) as first_block_date,
        max(block_date) filter (where day_status <> 'missing') as last_block_date,
        count(*) as day_count,
        count(*) filter (where day_status = 'verified') as verified_day_count,
        count(*) filter (where day_status = 'unverifiable') as unverifiable_day_count,
        count(*) filter (where day_status = 'partial') as partial_day_count,
        count(*) filter (where day_status = 'failed') as failed_day_count,
        count(*) filter (where day_status = 'missing') as missing_day_count,
        max(block_date) filter (where first_incomplete_date is null or block_date < first_incomplete_date)
            as complete_through_date,
        max(block_date) filter (where first_unsound_date is null or block_date < first_unsound_date) as checked_through_date,
        max(block_date) filter (where first_unverified_date is null or block_date < first_unverified_date)
            as verified_through_date
    from status_days
    group by asset_key

),

closes as (

    select
        asset_key,
        min(close_date) filter (where close_price_usd is not null) as first_close_date,
        max(close_date) filter (where close_price_usd is not null) as last_close_date,
        count(*) filter (where close_price_usd is null) as missing_close_count
    from {{ ref('fct_market_prices_daily') }}
    group by asset_key

)

select
    assets.asset_key,
    assets.coingecko_id,
    assets.chain,
    chain_days.first_block_date,
    chain_days.last_block_date,
    chain_days.complete_through_date,
    chain_days.checked_through_date,
    chain_days.verified_through_date,
    chain_days.day_count,
    chain_days.verified_day_count,
    chain_days.unverifiable_day_count,
    chain_days.partial_day_count,
    chain_days.failed_day_count,
    chain_days.missing_day_count,
    closes.first_close_date,
    closes.last_close_date,
    closes.missing_close_count
from assets
left join chain_days on assets.asset_key = chain_days.asset_key
left join closes on assets.asset_key = closes.asset_key
