-- A build deletes and writes the rows of each table that it makes anew in one transaction, whose number the rows bear.
select
    concat_ws(
        ' ',
        (select xmin from bi_market_daily limit 1),
        (select xmin from bi_market_risk_daily limit 1),
        (select xmin from bi_network_daily limit 1),
        (select xmin from bi_mining_daily limit 1),
        (select xmin from bi_valuation_daily limit 1),
        (select xmin from bi_supply_age_daily limit 1),
        (select xmin from bi_miner_daily limit 1),
        (select xmin from bi_miner_concentration_daily limit 1),
        (select xmin from bi_whale_daily limit 1),
        (select xmin from bi_day_status limit 1),
        (select xmin from bi_asset_status limit 1),
        (select xmin from bi_latest_changes limit 1),
        (select xmin from bi_balances limit 1),
        (select xmin from bi_data_quality_daily limit 1),
        'published'
    ) as state
