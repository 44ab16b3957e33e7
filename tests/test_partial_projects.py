"""A project that loads one chain, or prices alone: everything builds, and the marts hold what there is."""

import pytest

from checkout import Checkout

WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
}
PRICES = ("tap-coingecko", "target-postgres")
CHAINS = ("tap-blockchair", "target-postgres")
# Marts by what they are made of; dimensions have rows in any case.
OF_MARKET = {"fct_asset_pair_daily", "fct_market_candles", "fct_market_prices_daily", "fct_market_risk_daily"}
OF_CHAIN = {
    *("fct_blocks", "fct_transactions", "fct_network_daily", "fct_valuation_daily", "fct_miner_daily"),
    *("fct_address_balances_snapshot", "fct_wealth_distribution_daily", "rpt_miner_concentration_daily"),
    *("fct_dq_results", "rpt_reconciliation"),
}
OF_OUTPUTS = {"fct_transaction_outputs", "fct_transaction_inputs", "fct_supply_age_daily"}
OF_PRICED_CHAIN = {"fct_whale_transfers"}
FACTS = OF_MARKET | OF_CHAIN | OF_OUTPUTS | OF_PRICED_CHAIN


@pytest.fixture(scope="module")
def installed(checkout: Checkout) -> Checkout:
    """Sources, and a warehouse with nothing in it."""
    checkout.make("env")
    checkout.run("meltano", "install", "tap-coingecko", "tap-blockchair", "target-postgres", "dbt-postgres")
    checkout.run("simulator", "start", **WORLD)
    return checkout


@pytest.mark.parametrize(
    ("chain", "loads", "expected"),
    [
        ("bitcoin", (*PRICES, *CHAINS), OF_MARKET | OF_CHAIN | OF_OUTPUTS | OF_PRICED_CHAIN),
        ("ethereum", CHAINS, OF_CHAIN),
        (None, PRICES, OF_MARKET),
    ],
)
def test_a_part_of_the_project_builds(
    installed: Checkout, chain: str | None, loads: tuple[str, ...], expected: set[str]
) -> None:
    installed.run("warehouse", "reset", "--yes")
    installed.run("warehouse", "start")
    installed.run("meltano", "run", *loads, "dbt-postgres:build", TAP_BLOCKCHAIR_CHAINS=f'["{chain}"]')
    names = {str(name) for (name,) in installed.sql("select tablename from pg_tables where schemaname = 'analytics'")}
    # as those see it who read reports
    query = 'select exists(select 1 from analytics."{}")'
    filled = {name for name in names if installed.sql(query.format(name), role="bi_reader") == [(True,)]}
    assert names >= FACTS
    assert filled & FACTS == expected
    assert {name for name in names - filled if name.startswith("dim_")} == set()
    for mart in ("fct_blocks", "fct_network_daily", "rpt_reconciliation"):
        chains = installed.sql(f"select distinct chain from analytics.{mart}", role="bi_reader")  # noqa: S608
        assert chains == ([(chain,)] if chain else [])
    assert installed.sql("select * from intermediate.int_check_failures") == []
