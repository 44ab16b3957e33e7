"""A project that loads one chain, more, prices alone or nothing: everything builds; marts hold what there is."""

import json

import pytest

from checkout import Checkout

pytestmark = pytest.mark.long(part="other-projects")

WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
    "SIMULATOR_CHAINS": "bitcoin,ethereum,dogecoin,litecoin,bitcoin-cash",
}
PRICES = ("tap-coingecko", "target-postgres")
CHAINS = ("tap-blockchair", "target-postgres")
# Marts by what they are made of; dimensions have rows in any case.
OF_MARKET = {
    *("fct_asset_pair_daily", "fct_market_candles", "fct_market_prices_daily", "fct_market_risk_daily"),
    "fct_market_trend_daily",
}
OF_CHAIN = {
    *("fct_blocks", "fct_transactions", "fct_network_daily", "fct_valuation_daily", "fct_miner_daily"),
    *("fct_address_balances_snapshot", "fct_wealth_distribution_daily", "rpt_miner_concentration_daily"),
    *("rpt_miner_concentration_pooled", "fct_mining_daily", "fct_active_addresses_periodic"),
    *("fct_dq_results", "rpt_reconciliation"),
}
OF_OUTPUTS = {
    *("fct_transaction_outputs", "fct_transaction_inputs", "fct_supply_age_daily", "fct_spent_age_daily"),
    *("fct_holders_daily", "fct_realised_price_distribution", "fct_unspent_outputs_daily"),
}
OF_PRICED_CHAIN = {"fct_whale_transfers"}
OF_ETHEREUM = {"fct_contract_gas_daily", "fct_token_transfers", "fct_token_daily"}
FACTS = OF_MARKET | OF_CHAIN | OF_OUTPUTS | OF_PRICED_CHAIN | OF_ETHEREUM


@pytest.fixture(scope="module")
def with_sources(checkout: Checkout) -> Checkout:
    """Sources that serve."""
    checkout.run("simulator", "start", **WORLD)
    return checkout


@pytest.mark.parametrize(
    ("chain", "loads", "expected"),
    [
        ("bitcoin", (*PRICES, *CHAINS), OF_MARKET | OF_CHAIN | OF_OUTPUTS | OF_PRICED_CHAIN),
        ("ethereum", CHAINS, OF_CHAIN | OF_ETHEREUM),
        (None, PRICES, OF_MARKET),
        (None, (), set()),
    ],
)
def test_a_part_of_the_project_builds(
    with_sources: Checkout, chain: str | None, loads: tuple[str, ...], expected: set[str]
) -> None:
    with_sources.run("warehouse", "reset", "--yes")
    with_sources.run("warehouse", "start")
    with_sources.run("meltano", "run", *loads, "dbt-postgres:build", TAP_BLOCKCHAIR_CHAINS=f'["{chain}"]')
    names = {
        str(name) for (name,) in with_sources.sql("select tablename from pg_tables where schemaname = 'analytics'")
    }
    # as those see it who read reports
    query = 'select exists(select 1 from analytics."{}")'
    filled = {name for name in names if with_sources.sql(query.format(name), role="bi_reader") == [(True,)]}
    assert names >= FACTS
    assert filled & FACTS == expected
    assert {name for name in names - filled if name.startswith("dim_")} == set()
    for mart in ("fct_blocks", "fct_network_daily", "rpt_reconciliation"):
        chains = with_sources.sql(f"select distinct chain from analytics.{mart}", role="bi_reader")  # noqa: S608
        assert chains == ([(chain,)] if chain else [])
    assert with_sources.sql("select * from intermediate.int_check_failures") == []


def test_more_chains_where_settings_name_them(with_sources: Checkout) -> None:
    """A coin of which no chain is loaded is one of the market's; a chain's checks are those of its kind."""
    with_sources.run("warehouse", "reset", "--yes")
    with_sources.run("warehouse", "start")
    coins = {"TAP_COINGECKO_COINS": json.dumps(["bitcoin", "litecoin", "bitcoin-cash"])}
    assets = "select symbol, chain from analytics.dim_asset where symbol in ('LTC', 'BCH') order by 1 desc"
    with_sources.run("meltano", "run", *PRICES, "dbt-postgres:build", **coins)
    assert with_sources.sql(assets) == [("LTC", None), ("BCH", None)]

    chains = ["litecoin", "bitcoin-cash"]
    with_sources.run("meltano", "run", *CHAINS, "dbt-postgres:build", TAP_BLOCKCHAIR_CHAINS=json.dumps(chains))

    assert with_sources.sql(assets) == [("LTC", "litecoin"), ("BCH", "bitcoin-cash")]
    for mart in OF_CHAIN | OF_OUTPUTS - {"fct_address_balances_snapshot"}:
        column = "chain" if mart != "fct_dq_results" else "distinct chain"
        found = with_sources.sql(f"select {column} from analytics.{mart}")  # noqa: S608
        assert {chain for (chain,) in found} == set(chains), mart
    fees = with_sources.sql(
        "select chain, sum(fee_total_base), sum(weight_wu) is not null, count(fee_total_usd) > 0"
        " from analytics.fct_blocks group by 1 order by 1 desc"
    )
    ((of_litecoin,),) = with_sources.sql("select sum(fee_total) from raw_data.litecoin_blocks")
    ((of_cash,),) = with_sources.sql("select sum(fee_total) from raw_data.bitcoin_cash_blocks")
    assert fees == [("litecoin", of_litecoin, True, True), ("bitcoin-cash", of_cash, False, True)]
    checks = "select check_name, string_agg(distinct result, ' ') from intermediate.int_checks_unioned where chain = "
    checks_of_litecoin, checks_of_cash = (dict(with_sources.sql(f"{checks}'{chain}' group by 1")) for chain in chains)
    assert set(checks_of_cash) - set(checks_of_litecoin) == {"block_proof_of_work"}
    assert set(checks_of_litecoin) - set(checks_of_cash) == {"block_weight", "block_sizes"}
    proved = ("block_header_hash", "block_merkle_root", "block_transaction_sums", "block_proof_of_work", "block_sizes")
    assert {found.get(name) for found in (checks_of_litecoin, checks_of_cash) for name in proved} == {"verified", None}
    assert with_sources.sql("select * from intermediate.int_check_failures") == []
