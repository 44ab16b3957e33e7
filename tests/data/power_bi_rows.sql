-- Rows made by hand for Power BI's measures: three coins, four days, and what goes wrong in life. A day without a price, the tip's, a
-- truncated history, a chain that burns nothing, a miner nobody knows, a day that is not final, a check that fails.
create schema fixture;
create table fixture.dim_asset as select * from analytics.dim_asset;
create table fixture.dim_date as select * from analytics.dim_date where date_day between '2025-01-25' and '2025-02-05';
create table fixture.dim_age_band as select * from analytics.dim_age_band;
create table fixture.dim_dq_check as select * from analytics.dim_dq_check;
create table fixture.dim_time as select * from analytics.dim_time where hour_number = 12;
create table fixture.dim_price_source as select * from analytics.dim_price_source;
create table fixture.dim_transaction_flags as select * from analytics.dim_transaction_flags;
create table fixture.dim_miner (like analytics.dim_miner);
insert into fixture.dim_miner (miner_key, chain, miner, is_unknown)
values (1, 'bitcoin', 'Alpha', false), (2, 'bitcoin', 'Beta', false), (3, 'dogecoin', 'Unknown', true), (-1, 'unknown', 'unknown', true);

create table fixture.bi_market_daily (like analytics.bi_market_daily);
insert into fixture.bi_market_daily
    (price_key, asset_key, date_key, close_date, day_start_at, open_price_usd, close_price_usd, coingecko_market_cap_usd, volume_24h_usd, price_status)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, opened, closed, cap, volume,
    case when closed is null then 'missing' else 'priced' end
from (values
    ('BTC', date '2025-01-29', null, 100000, 1990000000000, 40000000000),
    ('BTC', date '2025-01-30', 100000, 101000.5, 2000000000000.1234, 50000000000.0001),
    ('BTC', date '2025-01-31', 101000.5, 97500, 1950000000000, 60000000000.0002),
    ('BTC', date '2025-02-01', null, null, null, null),
    ('ETH', date '2025-01-30', 3000, 3100.123456789, 370000000000, 20000000000),
    ('ETH', date '2025-01-31', 3100.123456789, 3050, 365000000000, 21000000000),
    ('DOGE', date '2025-01-30', 0.32, 0.3300000000000001, null, 1000000),
    ('DOGE', date '2025-01-31', null, null, null, null)
) as given (symbol, day, opened, closed, cap, volume)
join fixture.dim_asset using (symbol);

-- 200 closes are there up to the 30th; the high of the 30th is still the highest on the day without a close
create table fixture.bi_market_trend_daily (like analytics.bi_market_trend_daily);
insert into fixture.bi_market_trend_daily (trend_key, asset_key, date_key, close_date, day_start_at, mayer_multiple, all_time_high_usd)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, multiple, high
from (values
    ('BTC', date '2025-01-29', 1.2, 100000), ('BTC', date '2025-01-30', 1.15, 101000.5), ('BTC', date '2025-01-31', null, 101000.5),
    ('BTC', date '2025-02-01', null, 101000.5), ('ETH', date '2025-01-30', null, 4000), ('ETH', date '2025-01-31', 0.9, 4000),
    ('DOGE', date '2025-01-30', null, 0.7)
) as given (symbol, day, multiple, high)
join fixture.dim_asset using (symbol);

create table fixture.bi_market_risk_daily (like analytics.bi_market_risk_daily);
insert into fixture.bi_market_risk_daily
    (risk_key, asset_key, date_key, close_date, day_start_at, window_days, volatility_annualised, drawdown_ratio, max_drawdown_ratio)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, span, volatility, drawdown, deepest
from (values
    ('BTC', date '2025-01-30', 30, 0.5, -0.01, -0.08), ('BTC', date '2025-01-30', 90, 0.6, -0.01, -0.18),
    ('BTC', date '2025-01-31', 30, 0.55, -0.045, -0.09), ('BTC', date '2025-01-31', 90, 0.65, -0.045, -0.2),
    ('ETH', date '2025-01-30', 30, 0.7, -0.1, -0.3), ('ETH', date '2025-01-31', 90, null, -0.11, -0.35)
) as given (symbol, day, span, volatility, drawdown, deepest)
join fixture.dim_asset using (symbol);

create table fixture.bi_asset_pairs_daily (like analytics.bi_asset_pairs_daily);
insert into fixture.bi_asset_pairs_daily
    (pair_key, asset_key, date_key, benchmark_coingecko_id, close_date, day_start_at, window_days, return_correlation)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, benchmark, day, day, span, correlation
from (values
    ('ETH', date '2025-01-31', 'bitcoin', 90, 0.81), ('ETH', date '2025-01-31', 'dogecoin', 90, 0.61),
    ('ETH', date '2025-01-31', 'bitcoin', 30, 0.71), ('DOGE', date '2025-01-30', 'bitcoin', 90, -0.2)
) as given (symbol, day, benchmark, span, correlation)
join fixture.dim_asset using (symbol);

create table fixture.bi_network_daily (like analytics.bi_network_daily);
insert into fixture.bi_network_daily (
    network_day_key, asset_key, date_key, block_date, day_start_at, block_count, transaction_count, zero_fee_count,
    failed_transaction_count, active_address_count, new_address_count, fee_total_native, fee_total_usd, burned_native, burned_usd,
    tip_usd, reward_usd, transfer_value_native, transfer_value_usd, transfer_value_adj_v1_usd, fee_p10_usd, fee_median_usd, fee_p90_usd,
    fee_rate_weighted_p50, fee_rate_weighted_p90, hash_rate, utilisation, nvt, price_status, is_final
)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, given.blocks, given.transactions, given.zero,
    given.failed, given.active, given.new, given.fee, given.fee_usd, given.burned, given.burned_usd, given.tip, given.reward, given.moved,
    given.moved_usd, given.adjusted, given.low, given.median, given.high, given.rate, given.rate_high, given.hashes, given.full,
    given.nvt, given.status, given.final
from (values
    ('BTC', date '2025-01-30', 144, 400000, 7, null, 900000, 300000, 0.1, 0.1, null, null, null, 45000000.1, 500000.12345678,
     5e10, 3e10, 0.5, 1.25, 9.75, 5.5, 20, 7e20, 0.95, 40, 'priced', true),
    ('BTC', date '2025-01-31', 140, 410000, 0, null, 910000, 310000, 0.2, 0.2, null, null, null, 44000000.2, 600000.1,
     6e10, 3.5e10, 0.6, 1.5, 10.25, 6.5, 22, 7.1e20, 0.97, 38.5, 'priced', true),
    ('BTC', date '2025-02-01', 3, 9000, null, null, 20000, 4000, 0.01, null, null, null, null, null, 1000, null, null, null, null, null,
     5, 18, 6.9e20, 0.9, null, 'missing', false),
    ('ETH', date '2025-01-30', 7200, 1200000, null, 24000, 500000, 90000, 900.5, 2790000.3333, 700.25, 2170000.2222, 620000.1111,
     620000.1111, 1500000, 4.6e9, null, 0.4, 0.9, 5, 8, 40, 0, 0.51, 80, 'priced', true),
    ('ETH', date '2025-01-31', 7190, 1190000, null, 20000, 490000, 88000, 850.25, 2593262.5, 650, 1982500, 610762.5, null, 1400000,
     4.2e9, null, 0.3, 0.8, 4.5, 7, 35, 0, 0.5, null, 'priced', true),
    ('DOGE', date '2025-01-30', 1440, 50000, 100, null, 60000, 5000, 12345.5, 4074.015, null, null, null, 4752000, 9e8, 3e8, 2.5e8,
     0.00001, 0.0002, 0.003, 100000, 500000, 1e15, 0.1, 160, 'priced', true)
) as given (symbol, day, blocks, transactions, zero, failed, active, new, fee, fee_usd, burned, burned_usd, tip, reward, moved, moved_usd,
    adjusted, low, median, high, rate, rate_high, hashes, "full", nvt, status, final)
join fixture.dim_asset using (symbol);

-- Ethereum's second day has half of its transactions; the tip of Bitcoin is the 2nd of February, its blocks alone
update fixture.bi_network_daily set
    has_all_blocks = true, has_all_transactions = zero_fee_count is not null, hash_rate_known = hash_rate, loaded_transaction_count = 0;
update fixture.bi_network_daily set loaded_transaction_count = transaction_count where zero_fee_count is not null or failed_transaction_count = 24000;
update fixture.bi_network_daily set loaded_transaction_count = 595000 where failed_transaction_count = 20000;
update fixture.bi_network_daily set
    priced_block_count = case when price_status = 'priced' then block_count else 0 end,
    priced_transaction_count = case when price_status = 'priced' then transaction_count else 0 end;
insert into fixture.bi_network_daily (
    network_day_key, asset_key, date_key, block_date, day_start_at, block_count, transaction_count, loaded_transaction_count, fee_total_native,
    hash_rate_known, utilisation, mean_difficulty, active_address_count, fee_median_usd, price_status, has_all_blocks, has_all_transactions, is_final,
    priced_block_count, priced_transaction_count
)
select 99, asset_key, 20250202, day, day, 18, 52000, 26000, 0.3, 7.3e20, 0.2, 1.1e14, 700, 9.5, 'missing', false, false, false, 0, 0
from (values ('BTC', date '2025-02-02')) as given (symbol, day) join fixture.dim_asset using (symbol);

create table fixture.bi_valuation_daily (like analytics.bi_valuation_daily);
insert into fixture.bi_valuation_daily (
    valuation_day_key, asset_key, date_key, block_date, day_start_at, supply_native, market_cap_usd, realised_cap_usd, mvrv, nupl,
    in_profit_ratio, active_supply_1y_share, spent_value_usd, spent_cost_usd, realised_profit_usd, realised_loss_usd,
    coin_days_destroyed, puell_multiple, coverage_ratio, is_partial
)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, given.supply, given.cap, given.realised, given.mvrv,
    given.nupl, given.profiting, given.active, given.worth, given.cost, given.gain, given.loss, given.destroyed, given.puell,
    given.coverage, given.partial
from (values
    -- spent output profit ratio of Coin Metrics' example: 97,500 / 40,600
    ('BTC', date '2025-01-30', 19800000.5, 2e12, 8.5e11, 2.3529, 0.575, 0.93, 0.3, 48750, 20300, 40000, 11550, 123456.789, 1.1, 1, false),
    ('BTC', date '2025-01-31', 19800450.5, 1.93e12, 8.6e11, 2.2442, 0.5544, 0.9, 0.31, 48750, 20300, 30000, 1550, 65432.1, null, 1, false),
    ('DOGE', date '2025-01-30', 147000000000, 4.851e10, null, null, null, 0.5, 0.4, 330, null, 0, 0, 10, null, 0.2, true)
) as given (symbol, day, supply, cap, realised, mvrv, nupl, profiting, active, worth, cost, gain, loss, destroyed, puell, coverage,
    partial)
join fixture.dim_asset using (symbol);

-- the last day before the tip lacks closes: what is plain is null, what is known is there
update fixture.bi_valuation_daily set
    has_all_blocks = true, realised_cap_known_usd = coalesce(realised_cap_usd, 1e10), realised_cap_coverage_ratio = case when mvrv is null then 0.4 else 1 end,
    mvrv_known = coalesce(mvrv, 4.5);
-- each figure on another last day
update fixture.bi_valuation_daily as held set
    long_term_supply_share = given.held_long, realised_price_usd = given.price, mvrv_z_score = given.score, stock_to_flow = given.flow
from (values
    ('BTC', date '2025-01-30', 0.7, 43000.25, 1.5, 119.5), ('BTC', date '2025-01-31', 0.71, 43500.75, null, 119.75),
    ('DOGE', date '2025-01-30', 0.3, null, null, 29.4)
) as given (symbol, day, held_long, price, score, flow)
join fixture.dim_asset using (symbol)
where held.asset_key = dim_asset.asset_key and held.block_date = given.day;
insert into fixture.bi_valuation_daily (
    valuation_day_key, asset_key, date_key, block_date, day_start_at, supply_native, realised_cap_known_usd, realised_cap_coverage_ratio, mvrv_known,
    coverage_ratio, is_partial, has_all_blocks, long_term_supply_share, stock_to_flow
)
select key, asset_key, to_char(day, 'YYYYMMDD')::int, day, day, supply, realised, covered, known, covered, partial, whole, known / 4, known * 9
from (values
    (98, 'BTC', date '2025-02-01', 19800460.5, 7e11, 0.8, 2.5, false, true), (99, 'BTC', date '2025-02-02', 19800500.5, 7.1e11, 0.7, 2.6, true, false)
) as given (key, symbol, day, supply, realised, covered, known, partial, whole)
join fixture.dim_asset using (symbol);

create table fixture.bi_supply_age_daily (like analytics.bi_supply_age_daily);
insert into fixture.bi_supply_age_daily (supply_age_key, asset_key, date_key, age_band_key, block_date, day_start_at, counted_supply_native)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, age_band_key, day, day, native
from (values
    ('BTC', date '2025-01-30', 1, 1000.25), ('BTC', date '2025-01-30', 2, 3000.75),
    ('BTC', date '2025-01-31', 1, 900.5), ('BTC', date '2025-01-31', 2, 3100.25), ('BTC', date '2025-01-31', 12, 15000000),
    ('DOGE', date '2025-01-30', 1, 5e9)
) as given (symbol, day, band_order, native)
join fixture.dim_asset using (symbol) join fixture.dim_age_band using (band_order);

update fixture.bi_supply_age_daily set has_all_blocks = true;
insert into fixture.bi_supply_age_daily (supply_age_key, asset_key, date_key, age_band_key, block_date, day_start_at, counted_supply_native, has_all_blocks)
select 99, asset_key, 20250202, age_band_key, day, day, 5.5, false
from (values ('BTC', date '2025-02-02', 1)) as given (symbol, day, band_order)
join fixture.dim_asset using (symbol) join fixture.dim_age_band using (band_order);

create table fixture.bi_mining_daily (like analytics.bi_mining_daily);
insert into fixture.bi_mining_daily (mining_day_key, asset_key, date_key, block_date, day_start_at, hash_price_usd, has_all_blocks)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, price, whole
from (values
    ('BTC', date '2025-01-30', 0.0625, true), ('BTC', date '2025-01-31', 0.055, true), ('BTC', date '2025-02-01', null, true),
    ('BTC', date '2025-02-02', null, false), ('ETH', date '2025-01-30', null, true), ('DOGE', date '2025-01-30', 1250.5, true)
) as given (symbol, day, price, whole)
join fixture.dim_asset using (symbol);

create table fixture.bi_miner_daily (like analytics.bi_miner_daily);
insert into fixture.bi_miner_daily (
    miner_day_key, miner_key, asset_key, date_key, block_date, day_start_at, block_count, generation_native, reward_native, reward_usd,
    price_status
)
select row_number() over (), miner_key, asset_key, to_char(day, 'YYYYMMDD')::int, day, day, blocks, issued, reward, usd, status
from (values
    ('BTC', 1, date '2025-01-30', 100, 312.5, 312.57, 31257000.07, 'priced'), ('BTC', 2, date '2025-01-30', 44, 137.5, 137.53, 13753000.03, 'priced'),
    ('BTC', 1, date '2025-02-01', 3, 9.375, 9.385, null, 'missing'), ('DOGE', 3, date '2025-01-30', 1440, 14400000, 14412345.5, 4752000, 'priced')
) as given (symbol, miner_key, day, blocks, issued, reward, usd, status)
join fixture.dim_asset using (symbol);

update fixture.bi_miner_daily set
    known_block_count = case when miner_key = 3 then 0 else block_count end,
    priced_block_count = case when price_status = 'priced' then block_count else 0 end;

create table fixture.bi_miner_concentration_daily (like analytics.bi_miner_concentration_daily);
insert into fixture.bi_miner_concentration_daily
    (concentration_key, asset_key, date_key, block_date, day_start_at, hhi, nakamoto_coefficient, unknown_share_ratio)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, hhi, coefficient, unknown
from (values
    ('BTC', date '2025-01-30', 0.5756, 1, 0), ('BTC', date '2025-01-31', 0.25, 3, 0.5), ('DOGE', date '2025-01-30', null, null, 1)
) as given (symbol, day, hhi, coefficient, unknown)
join fixture.dim_asset using (symbol);

update fixture.bi_miner_concentration_daily set has_all_blocks = true;
insert into fixture.bi_miner_concentration_daily
    (concentration_key, asset_key, date_key, block_date, day_start_at, nakamoto_coefficient, has_all_blocks)
select 99, asset_key, 20250202, day, day, 2, false from (values ('BTC', date '2025-02-02')) as given (symbol, day) join fixture.dim_asset using (symbol);

create table fixture.bi_wealth_daily (like analytics.bi_wealth_daily);
insert into fixture.bi_wealth_daily (wealth_day_key, asset_key, date_key, observed_date, day_start_at, top_100_share, supply_equality_ratio)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, top, equality
from (values ('BTC', date '2025-01-30', 0.15, 0.09), ('BTC', date '2025-01-31', 0.151, null)) as given (symbol, day, top, equality)
join fixture.dim_asset using (symbol);

create table fixture.bi_balances (like analytics.bi_balances);
insert into fixture.bi_balances
    (balance_key, asset_key, date_key, observed_date, day_start_at, address, balance_rank, balance_native, balance_usd)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, address, rank, native, usd
from (values
    ('BTC', date '2025-01-30', '1A', 1, 100.5, 10150550.25), ('BTC', date '2025-01-31', '1A', 1, 90.25, 8799375),
    ('BTC', date '2025-01-31', '1a', 2, 10.00000001, 975000.001), ('DOGE', date '2025-01-30', 'D1', 1, 1e9, 330000000)
) as given (symbol, day, address, rank, native, usd)
join fixture.dim_asset using (symbol);

create table fixture.bi_data_quality_daily (like analytics.bi_data_quality_daily);
insert into fixture.bi_data_quality_daily
    (dq_result_key, dq_check_key, asset_key, date_key, block_date, day_start_at, verified_count, unverifiable_count, failed_count, failed_heights)
select row_number() over (), dq_check_key, asset_key, to_char(day, 'YYYYMMDD')::int, day, day, verified, unverifiable, failed, heights
from (values
    ('BTC', date '2025-01-30', 'block_header_hash', 143, 1, 0, ''), ('BTC', date '2025-01-30', 'block_merkle_root', 144, 0, 0, ''),
    ('BTC', date '2025-01-31', 'block_header_hash', 139, 0, 1, '881500'), ('BTC', date '2025-01-31', 'block_merkle_root', 138, 1, 1, '881500'),
    ('DOGE', date '2025-01-30', 'block_header_hash', 0, 1440, 0, '')
) as given (symbol, day, check_name, verified, unverifiable, failed, heights)
join fixture.dim_asset using (symbol) join fixture.dim_dq_check using (check_name);

create table fixture.bi_reconciliation_daily (like analytics.bi_reconciliation_daily);
insert into fixture.bi_reconciliation_daily (reconciliation_key, asset_key, date_key, block_date, day_start_at, block_count, header_verified_ratio)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, day, blocks, ratio
from (values ('BTC', date '2025-01-30', 144, 0.993056), ('BTC', date '2025-01-31', 140, 0.992857), ('ETH', date '2025-01-30', 7200, null))
    as given (symbol, day, blocks, ratio)
join fixture.dim_asset using (symbol);

create table fixture.bi_whale_transfers (like analytics.bi_whale_transfers);
insert into fixture.bi_whale_transfers (transaction_key, asset_key, date_key, block_date, value_native, value_usd)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, native, usd
from (values
    ('BTC', date '2025-01-30', 12.5, 1262506.25), ('BTC', date '2025-01-31', 2000.00000001, 195000000.001), ('ETH', date '2025-01-31', 50, 152500)
) as given (symbol, day, native, usd)
join fixture.dim_asset using (symbol);

create table fixture.bi_blocks (like analytics.bi_blocks);
insert into fixture.bi_blocks (block_key, asset_key, date_key, block_date, block_height, header_check)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, height, outcome
from (values
    ('BTC', date '2025-01-30', 881400, 'verified'), ('BTC', date '2025-01-30', 881401, 'unverifiable'), ('ETH', date '2025-01-31', 21740000, 'not_checked')
) as given (symbol, day, height, outcome)
join fixture.dim_asset using (symbol);

create table fixture.bi_transactions (like analytics.bi_transactions);
insert into fixture.bi_transactions (transaction_key, asset_key, date_key, block_date, fee_usd, is_user_transaction)
select row_number() over (), asset_key, to_char(day, 'YYYYMMDD')::int, day, usd, usd is not null
from (values
    ('BTC', date '2025-01-30', 1.25), ('BTC', date '2025-01-30', null), ('DOGE', date '2025-01-30', 0.00000033), ('ETH', date '2025-01-31', 2.5)
) as given (symbol, day, usd)
join fixture.dim_asset using (symbol);
