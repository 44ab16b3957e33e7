"""Every mart that is recomputed."""

from recompute.compare import Rows, Table
from recompute.days import Chain
from recompute.ethereum import contract_gas, transactions
from recompute.holders import holders, price_distribution, spent_ages
from recompute.market import log_returns, pairs, prices, risk
from recompute.miners import concentration, miners
from recompute.mining import mining, pooled
from recompute.network import network
from recompute.periods import periodic
from recompute.raw import CHAINS, Raw
from recompute.tokens import token_days, token_transfers
from recompute.trend import trend
from recompute.unspent import unspent_outputs
from recompute.valuation import supply_age, valuation
from recompute.wealth import Wealth, reported
from recompute.whales import whales

DAY_KEYS = ("chain", "block_date")
COIN_KEYS = ("coingecko_id", "close_date")


def filled_up(rows: Rows) -> Rows:
    """What a chain does not have is null."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return {key: {column: row.get(column) for column in columns} for key, row in rows.items()}


def tables(raw: Raw, assets: dict[str, int]) -> list[Table]:
    """Recompute all, for marts whose key of an asset is known."""
    chains = [Chain(raw, name) for name in CHAINS]
    found: dict[str, Rows] = {name: {} for name in _KEYS}
    for chain in chains:
        valued, networked = valuation(raw, chain), network(raw, chain)
        wealth = Wealth(raw, chain, valued)
        addresses = wealth.addresses()
        returns = log_returns(chain.closes)
        of_chain = {
            "fct_network_daily": networked,
            "fct_active_addresses_periodic": periodic(raw, chain, networked),
            "fct_mining_daily": mining(chain),
            "rpt_miner_concentration_pooled": pooled(chain),
            "fct_market_trend_daily": trend(chain.name, chain.closes, raw.snapshots[chain.name]),
            "fct_valuation_daily": valued,
            "fct_supply_age_daily": supply_age(raw, chain, valued) if chain.is_utxo else {},
            "fct_spent_age_daily": spent_ages(chain, valued) if chain.is_utxo else {},
            "fct_holders_daily": holders(raw, chain, valued) if chain.is_utxo else {},
            "fct_realised_price_distribution": price_distribution(raw, chain, valued) if chain.is_utxo else {},
            "fct_unspent_outputs_daily": unspent_outputs(raw, chain, valued) if chain.is_utxo else {},
            "fct_miner_daily": miners(chain),
            "rpt_miner_concentration_daily": concentration(chain),
            "fct_whale_transfers": whales(raw, chain),
            "fct_transactions": transactions(raw, chain),
            "fct_contract_gas_daily": {} if chain.is_utxo else contract_gas(chain),
            "fct_wealth_daily": wealth.daily(),
            "fct_wealth_distribution_daily": wealth.distribution(),
            "fct_address_balances_snapshot": addresses,
            "bi_balances": reported(addresses, assets),
            "fct_market_prices_daily": prices(chain.name, chain.closes, returns),
            "fct_market_risk_daily": risk(chain.name, chain.closes, returns),
        }
        if not chain.is_utxo:
            of_chain |= {
                "fct_token_transfers": token_transfers(raw, chain),
                "fct_token_daily": token_days(raw, chain),
            }
        for name, rows in of_chain.items():
            found[name] |= rows
    found["fct_asset_pair_daily"] = pairs({chain.name: log_returns(chain.closes) for chain in chains})
    return [Table(name, _KEYS[name], filled_up(rows)) for name, rows in found.items()]


_KEYS = {
    **dict.fromkeys(("fct_network_daily", "fct_valuation_daily", "rpt_miner_concentration_daily"), DAY_KEYS),
    "fct_mining_daily": DAY_KEYS,
    "rpt_miner_concentration_pooled": (*DAY_KEYS, "window_days"),
    "fct_active_addresses_periodic": ("chain", "period_kind", "period_start_date"),
    "fct_market_trend_daily": COIN_KEYS,
    "fct_supply_age_daily": (*DAY_KEYS, "age_band"),
    "fct_spent_age_daily": (*DAY_KEYS, "age_band"),
    "fct_holders_daily": (*DAY_KEYS, "holder_term"),
    "fct_realised_price_distribution": (*DAY_KEYS, "band_order"),
    "fct_unspent_outputs_daily": (*DAY_KEYS, "script_type", "output_size_band"),
    "fct_miner_daily": (*DAY_KEYS, "miner"),
    "fct_whale_transfers": ("chain", "block_height", "transaction_reference"),
    "fct_transactions": ("transaction_key",),
    "fct_contract_gas_daily": (*DAY_KEYS, "contract_label"),
    "fct_token_transfers": ("chain", "block_height", "transfer_index"),
    "fct_token_daily": (*DAY_KEYS, "token_address"),
    "fct_wealth_daily": ("chain", "observed_date"),
    "fct_wealth_distribution_daily": ("chain", "observed_date", "band"),
    "fct_address_balances_snapshot": ("chain", "observed_at", "address"),
    "bi_balances": ("asset_key", "observed_date", "address"),
    "fct_market_prices_daily": COIN_KEYS,
    "fct_market_risk_daily": (*COIN_KEYS, "window_days"),
    "fct_asset_pair_daily": ("coingecko_id", "benchmark_coingecko_id", "close_date", "window_days"),
}
