"""The numbers of Power BI's measures once more, in SQL: what a reviewer would ask the warehouse to check the report.

Each is an expression over the tables below, which a context has cut to its coins and days.
"""

TABLES = {
    "market": "bi_market_daily",
    "trend": "bi_market_trend_daily",
    "risk": "bi_market_risk_daily",
    "pairs": "bi_asset_pairs_daily",
    "network": "bi_network_daily",
    "valuation": "bi_valuation_daily",
    "age": "bi_supply_age_daily",
    "hashes": "bi_mining_daily",
    "mining": "bi_miner_daily",
    "concentration": "bi_miner_concentration_daily",
    "wealth": "bi_wealth_daily",
    "balances": "bi_balances",
    "quality": "bi_data_quality_daily",
    "reconciliation": "bi_reconciliation_daily",
    "whales": "bi_whale_transfers",
    "blocks": "bi_blocks",
    "transactions": "bi_transactions",
}


def of(table: str, aggregate: str, where: str = "true") -> str:
    """An aggregate over a table."""
    return f"(select {aggregate} from {table} where {where})"  # noqa: S608


def last(table: str, day: str, aggregate: str, where: str = "true", has: str = "true") -> str:
    """An aggregate over the last of a table's days that have what they need."""
    return of(table, aggregate, f"{day} = (select max({day}) from {table} where {where} and {has}) and {where}")  # noqa: S608


def last_known(table: str, column: str, where: str = "true", aggregate: str = "max", day: str = "block_date") -> str:
    """A column of one coin's last complete day that has it."""
    has = f"{column} is not null" + (" and has_all_blocks" if day == "block_date" else "")
    return lone(table, last(table, day, f"{aggregate}({column})", where, has))


def summed_last(table: str, column: str, day: str) -> str:
    """Over coins the sum of each one's last day that has a column."""
    held = f"(select asset_key, max({day}) as {day} from {table} where {column} is not null group by asset_key)"  # noqa: S608
    return f"(select sum({column}) from {table} join {held} as held using (asset_key, {day}))"  # noqa: S608


def lone(table: str, expression: str) -> str:
    """Only where the table has rows of one coin alone."""
    return f"(case when (select count(distinct asset_key) from {table}) = 1 then {expression} end)"  # noqa: S608


def ratio(above: str, below: str) -> str:
    """A quotient of floats; null where there is nothing to divide by."""
    return f"(cast({above} as double precision) / nullif(cast({below} as double precision), 0))"


def rows(table: str, where: str = "true") -> str:
    """How many rows there are; none is blank."""
    return f"nullif({of(table, 'count(*)', where)}, 0)"


CLOSE = last_known("market", "close_price_usd", day="close_date")
OPEN = lone(
    "market",
    of(
        "market",
        "max(open_price_usd)",
        "close_date = (select min(close_date) from market where open_price_usd is not null)",
    ),
)
FEES, BURNED = of("network", "sum(fee_total_usd)"), of("network", "sum(burned_usd)")
WHALES = of("whales", "sum(value_usd)")
OUTCOMES = [of("quality", f"sum({outcome}_count)") for outcome in ("verified", "unverifiable", "failed")]
BANDS = last(
    "age", "block_date", "sum(counted_supply_native)", has="counted_supply_native is not null and has_all_blocks"
)
COMPLETE, LOADED = "has_all_blocks", "has_all_transactions"
MINED = of("mining", "sum(block_count)")

REFERENCE_SQL = {
    # market
    "Close Price USD": CLOSE,
    "Open Price USD": OPEN,
    "Return": f"({CLOSE} - {OPEN}) / nullif({OPEN}, 0)",
    "Last Close Day": lone("market", last("market", "close_date", "max(date_key)", has="close_price_usd is not null")),
    "Mayer Multiple": last_known("trend", "mayer_multiple", day="close_date"),
    "All-Time High USD": last_known("trend", "all_time_high_usd", day="close_date"),
    "Market Cap USD": summed_last("market", "coingecko_market_cap_usd", "close_date"),
    "Trading Volume USD": of("market", "sum(volume_24h_usd)"),
    "Volatility 30d Annualised": last_known("risk", "volatility_annualised", "window_days = 30", day="close_date"),
    "Drawdown": last_known("risk", "drawdown_ratio", "window_days = 30", day="close_date"),
    "Max Drawdown 90d": last_known("risk", "max_drawdown_ratio", "window_days = 90", day="close_date"),
    "Correlation with Bitcoin 90d": last_known(
        "pairs", "return_correlation", "window_days = 90 and benchmark_coingecko_id = 'bitcoin'", day="close_date"
    ),
    "Days with a Close": rows("closes"),
    "Days without a Close": rows("market", "close_price_usd is null"),
    # network
    "Blocks": of("network", "sum(block_count)"),
    "Transactions": of("network", "sum(transaction_count)"),
    "Active Addresses": "(select sum(mean) from"  # noqa: S608
    f" (select avg(active_address_count) as mean from network where {COMPLETE} group by asset_key) as coins)",
    "New Addresses": of("network", "sum(new_address_count)"),
    "Transfer Value USD": of("network", "sum(transfer_value_usd)"),
    "Adjusted Transfer Value USD": of("network", "sum(transfer_value_adj_v1_usd)"),
    "Transfer Value Coins": lone("network", of("network", "sum(transfer_value_native)")),
    "NVT": last_known("network", "nvt"),
    "Hash Rate": lone("network", of("network", "avg(hash_rate)")),
    "Tip Hash Rate": lone("network", last("network", "block_date", "max(hash_rate_known)")),
    "Hash Price USD": last_known("hashes", "hash_price_usd"),
    "Failed Share": ratio(
        of("network", "sum(failed_transaction_count)"),
        of("network", "sum(loaded_transaction_count)", "failed_transaction_count is not null"),
    ),
    "Utilisation": lone("network", of("network", "avg(utilisation)", COMPLETE)),
    "Last Complete Day": "(select min(newest) from"  # noqa: S608
    f" (select max(date_key) as newest from network where {COMPLETE} group by asset_key) as coins)",
    "Days not Final": rows("network", "not is_final"),
    "Days without a Price": rows("network", "price_status = 'missing'"),
    # fees
    "Fees USD": FEES,
    "Fees Coins": lone("network", of("network", "sum(fee_total_native)")),
    "Fee per Transaction USD": ratio(FEES, of("network", "sum(priced_transaction_count)")),
    "Median Fee USD": lone("network", of("network", "avg(fee_median_usd)", LOADED)),
    "Fee P10 USD": lone("network", of("network", "avg(fee_p10_usd)", LOADED)),
    "Fee P90 USD": lone("network", of("network", "avg(fee_p90_usd)", LOADED)),
    "Fee Rate P50": lone("network", of("network", "avg(fee_rate_weighted_p50)", LOADED)),
    "Fee Rate P90": lone("network", of("network", "avg(fee_rate_weighted_p90)", LOADED)),
    "Burned USD": BURNED,
    "Burned Coins": lone("network", of("network", "sum(burned_native)")),
    "Tips USD": of("network", "sum(tip_usd)"),
    "Burned Share of Fees": ratio(BURNED, of("network", "sum(fee_total_usd)", "burned_usd is not null")),
    "Fee Share of Revenue": ratio(
        of("network", "sum(fee_total_usd - coalesce(burned_usd, 0))", "reward_usd is not null"),
        of("network", "sum(reward_usd)", "fee_total_usd is not null"),
    ),
    "Zero-Fee Share": ratio(
        of("network", "sum(zero_fee_count)"),
        of("network", "sum(loaded_transaction_count)", "zero_fee_count is not null"),
    ),
    # supply
    "Supply Coins": last_known("valuation", "supply_native", aggregate="sum"),
    "Own Market Cap USD": last_known("valuation", "market_cap_usd", aggregate="sum"),
    "Realised Cap USD": last_known("valuation", "realised_cap_usd", aggregate="sum"),
    "Realised Cap Known USD": last_known("valuation", "realised_cap_known_usd", aggregate="sum"),
    "Realised Cap Coverage": last_known("valuation", "realised_cap_coverage_ratio"),
    "MVRV": last_known("valuation", "mvrv"),
    "MVRV Known": last_known("valuation", "mvrv_known"),
    "Realised Price USD": last_known("valuation", "realised_price_usd"),
    "MVRV Z-Score": last_known("valuation", "mvrv_z_score"),
    "Valuation Day": lone(
        "valuation",
        last("valuation", "block_date", "max(date_key)", has=f"realised_cap_known_usd is not null and {COMPLETE}"),
    ),
    "NUPL": last_known("valuation", "nupl"),
    "SOPR": ratio(of("valuation", "sum(spent_value_usd)"), of("valuation", "sum(spent_cost_usd)")),
    "Realised Profit USD": of("valuation", "sum(realised_profit_usd)"),
    "Realised Loss USD": of("valuation", "sum(realised_loss_usd)"),
    "Coin-Days Destroyed": lone("valuation", of("valuation", "sum(coin_days_destroyed)")),
    "Supply by Age Coins": lone("age", BANDS),
    # of all bands: the band that a visual is grouped by is taken off again below the line
    "Supply by Age Share": ratio(lone("age", BANDS), lone("every_age", BANDS.replace("from age", "from every_age"))),
    "Supply in Profit Share": last_known("valuation", "in_profit_ratio"),
    "Active Supply 1Y Share": last_known("valuation", "active_supply_1y_share"),
    "Long-Term Holder Supply Share": last_known("valuation", "long_term_supply_share"),
    "Puell Multiple": last_known("valuation", "puell_multiple"),
    "Stock-to-Flow": last_known("valuation", "stock_to_flow"),
    "Partial Days": rows("valuation", "is_partial"),
    "Coverage": of("valuation", "min(coverage_ratio)"),
    # mining
    "Blocks Mined": MINED,
    "Block Share": lone("every_mining", ratio(MINED, of("every_mining", "sum(block_count)"))),
    "Revenue USD": of("mining", "sum(reward_usd)"),
    "Revenue Coins": lone("mining", of("mining", "sum(reward_native)")),
    "Issued Coins": lone("mining", of("mining", "sum(generation_native)")),
    "Revenue per Block USD": ratio(of("mining", "sum(reward_usd)"), of("mining", "sum(priced_block_count)")),
    "Concentration HHI": lone(
        "mining",
        ratio(
            "(select sum(known * known) from"
            " (select sum(known_block_count) as known from mining group by miner_key) as miners)",
            of("mining", "sum(block_count) * sum(block_count)"),
        ),
    ),
    "Nakamoto Coefficient": last_known("concentration", "nakamoto_coefficient"),
    "Unknown Share": lone(
        "mining", ratio(of("mining", "sum(block_count) - sum(known_block_count)"), of("mining", "sum(block_count)"))
    ),
    # whales
    "Whale Transfers Count": rows("whales"),
    "Whale Value USD": WHALES,
    "Largest Transfer USD": of("whales", "max(value_usd)"),
    "Whale Value Coins": lone("whales", of("whales", "sum(value_native)")),
    "Whale Share of Value": ratio(WHALES, of("network", "sum(transfer_value_usd)")),
    "Top 100 Share": last_known("wealth", "top_100_share", day="observed_date"),
    "Supply Equality Ratio": last_known("wealth", "supply_equality_ratio", day="observed_date"),
    "Balance USD": summed_last("balances", "balance_usd", "observed_date"),
    "Balance Coins": last_known("balances", "balance_native", aggregate="sum", day="observed_date"),
    # quality
    "Verified": OUTCOMES[0],
    "Unverifiable": OUTCOMES[1],
    "Failed": OUTCOMES[2],
    "Verified Share": ratio(OUTCOMES[0], " + ".join(OUTCOMES).join("()")),
    "Days with a Failure": "nullif((select count(*) from"
    " (select distinct asset_key, date_key from quality where failed_count > 0) as days), 0)",
    "Blocks Checked": of("reconciliation", "sum(block_count)"),
    "Header-Verified Share": ratio(
        of("reconciliation", "sum(header_verified_ratio * block_count)"),
        of("reconciliation", "sum(block_count)", "header_verified_ratio is not null"),
    ),
    # one day
    "Transactions Listed": rows("transactions", "is_user_transaction"),
    "Listed Fees USD": of("transactions", "sum(fee_usd)"),
    "Blocks Listed": rows("blocks"),
    "Listed Blocks Verified": rows("blocks", "header_check = 'verified'"),
}


def reference_sql(measure: str, schema: str, symbols: list[str], days: tuple[str, str], grouped: str = "") -> str:
    """The SQL of a measure for coins and days, the first and the last.

    `grouped` is a condition on the rows of `age`, `mining` or `quality` that a visual's group adds.
    """
    coins = ", ".join(f"'{symbol}'" for symbol in symbols)
    # keys of days, since tables call their day differently
    first, final = (day.replace("-", "") for day in days)
    context = (
        f"asset_key in (select asset_key from {schema}.dim_asset where symbol in ({coins}))"  # noqa: S608
        f" and date_key between {first} and {final}"
    )
    shown = TABLES | {f"every_{name}": TABLES[name] for name in ("age", "mining")}
    parts = [f"{name} as (select * from {schema}.{model} where {context})" for name, model in shown.items()]  # noqa: S608
    if grouped:
        name, condition = grouped.split(" where ", 1)
        parts = [part[:-1] + f" and {condition})" if part.startswith(f"{name} as") else part for part in parts]
    parts.append("closes as (select * from market where close_price_usd is not null)")
    return f"with {', '.join(parts)} select {REFERENCE_SQL[measure]}"
