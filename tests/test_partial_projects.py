"""A project that loads one chain, more, prices alone or nothing: everything builds; marts hold what there is."""

import json

import pytest

from checkout import Checkout
from simulator.blockchair.chains import CHAINS as SIMULATED

pytestmark = pytest.mark.long(part="other-projects")

WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
    "SIMULATOR_CHAINS": ",".join(SIMULATED),
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
    *("fct_dq_results", "rpt_day_status", "rpt_reconciliation"),
}
OF_OUTPUTS = {
    *("fct_transaction_outputs", "fct_transaction_inputs", "fct_supply_age_daily", "fct_spent_age_daily"),
    *("fct_holders_daily", "fct_realised_price_distribution", "fct_unspent_outputs_daily"),
}
OF_PRICED_CHAIN = {"fct_whale_transfers", "rpt_whale_daily"}
OF_ETHEREUM = {"fct_contract_gas_daily", "fct_token_transfers", "fct_token_daily"}
# Checks that not every chain with a ledger of outputs has.
OF_SEGWIT, OF_HASHES = {"block_weight", "block_sizes"}, "block_proof_of_work"
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
    chains = [chain.name for chain in SIMULATED.values() if not chain.is_default]
    coins = {"TAP_COINGECKO_COINS": json.dumps(["bitcoin", *chains])}
    ids = ", ".join(f"'{chain}'" for chain in chains)
    assets = f"select coingecko_id, chain from analytics.dim_asset where coingecko_id in ({ids})"  # noqa: S608
    with_sources.run("meltano", "run", *PRICES, "dbt-postgres:build", **coins)
    assert set(with_sources.sql(assets)) == {(chain, None) for chain in chains}

    with_sources.run("meltano", "run", *CHAINS, "dbt-postgres:build", TAP_BLOCKCHAIR_CHAINS=json.dumps(chains))

    assert set(with_sources.sql(assets)) == {(chain, chain) for chain in chains}
    for mart in OF_CHAIN | OF_OUTPUTS - {"fct_address_balances_snapshot"}:
        column = "chain" if mart != "fct_dq_results" else "distinct chain"
        found = with_sources.sql(f"select {column} from analytics.{mart}")  # noqa: S608
        assert {chain for (chain,) in found} == set(chains), mart
    fees = "select sum(fee_total_base), sum(weight_wu) is not null, count(fee_total_usd) > 0 from analytics.fct_blocks"
    checks = "select check_name, string_agg(distinct result, ' ') from intermediate.int_checks_unioned where chain = "
    found = {chain: dict(with_sources.sql(f"{checks}'{chain}' group by 1")) for chain in chains}
    verified = ("block_header_hash", "block_merkle_root", "block_transaction_sums", *OF_SEGWIT, OF_HASHES)
    for name in chains:
        chain, stem = SIMULATED[name], name.replace("-", "_")
        ((fee_total,),) = with_sources.sql(f"select sum(fee_total) from raw_data.{stem}_blocks")  # noqa: S608
        assert with_sources.sql(f"{fees} where chain = '{name}'") == [(fee_total, chain.segwit, True)]
        assert found[name].keys() & {*OF_SEGWIT, OF_HASHES} == {
            *(OF_SEGWIT if chain.segwit else ()),
            *((OF_HASHES,) if chain.hash_is_work else ()),
        }
        assert {found[name].get(check) for check in verified} == {"verified", None}
    (shared,) = {frozenset(checks.keys() - {*OF_SEGWIT, OF_HASHES}) for checks in found.values()}
    assert len(shared) > 10
    assert with_sources.sql("select * from intermediate.int_check_failures") == []
