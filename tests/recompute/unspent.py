"""fct_unspent_outputs_daily, from the definitions in `_metrics_unspent_outputs.md` and `_flags.md`."""

from collections import defaultdict
from datetime import date
from fractions import Fraction

from recompute.coins import Coin, Coins
from recompute.compare import Rows
from recompute.days import Chain
from recompute.raw import Raw
from recompute.valuation import OF_THE_DAY

# Name, and from how many coins on; the first has the outputs of nothing too.
SIZE_BANDS = (
    ("below 0.00001 coins", Fraction(0)),
    ("0.00001 to 0.0001 coins", Fraction(1, 100_000)),
    ("0.0001 to 0.001 coins", Fraction(1, 10_000)),
    ("0.001 to 0.01 coins", Fraction(1, 1_000)),
    ("0.01 to 0.1 coins", Fraction(1, 100)),
    ("0.1 to 1 coins", Fraction(1, 10)),
    ("1 to 10 coins", Fraction(1)),
    ("10 to 100 coins", Fraction(10)),
    ("100 to 1,000 coins", Fraction(100)),
    ("1,000 to 10,000 coins", Fraction(1_000)),
    ("10,000 to 100,000 coins", Fraction(10_000)),
    ("100,000 to 1 million coins", Fraction(100_000)),
    ("1 million coins and more", Fraction(1_000_000)),
)
FLAGS = tuple(column for column in OF_THE_DAY if column != "price_status")
# Bitcoin: satoshi a byte; bytes of an output before its script; of each script; and of the input that will spend it.
DUST_RATE, OUTPUT_BYTES = 3, 9
SCRIPT_BYTES = {
    "pubkeyhash": 25,
    "scripthash": 23,
    "witness_v0_keyhash": 22,
    "witness_v0_scripthash": 34,
    "witness_v1_taproot": 34,
}
INPUT_BYTES, WITNESS_INPUT_BYTES = 148, 67
# Dogecoin: a hundredth of a coin, whatever the script.
DOGECOIN_LIMIT = 1_000_000
DOGECOIN_SCRIPTS = ("pubkey", "pubkeyhash", "scripthash", "multisig")

Kind = tuple[str, int]


def dust_limit(chain: str, script: str) -> int | None:
    """Below which value in base units a node takes an output for dust, if that is known."""
    if script == "nulldata":
        return 0
    if chain == "dogecoin":
        return DOGECOIN_LIMIT if script in DOGECOIN_SCRIPTS else None
    if script not in SCRIPT_BYTES:
        return None
    spending = WITNESS_INPUT_BYTES if script.startswith("witness") else INPUT_BYTES
    return DUST_RATE * (OUTPUT_BYTES + SCRIPT_BYTES[script] + spending)


def _kind(chain: Chain, coin: Coin) -> Kind:
    """Its script and the place of its band."""
    amount = Fraction(abs(coin.value), chain.base_units)
    return coin.script, sum(1 for _, at_least in SIZE_BANDS if amount >= at_least)


def unspent_outputs(raw: Raw, chain: Chain, valued: Rows) -> Rows:
    """The rows of a chain in fct_unspent_outputs_daily."""
    coins, rows = Coins(raw, chain), Rows()
    first: dict[Kind, date] = {}
    seen = [(coin.created, coin) for coin in coins.all if coin.counts] + coins.debts
    for day, coin in seen:
        kind = _kind(chain, coin)
        first[kind] = min(day, first.get(kind, day))
    for day in (found for found in chain.days if found <= coins.last_day):
        alive: dict[Kind, list[int]] = defaultdict(list)
        for coin in coins.alive(day):
            if coin.counts:
                alive[_kind(chain, coin)].append(coin.value)
        for kind in (found for found, since in first.items() if since <= day):
            script, order = kind
            limit = dust_limit(chain.name, script)
            dust = None if limit is None else [value for value in alive[kind] if abs(value) < limit]
            rows[chain.name, day, script, SIZE_BANDS[order - 1][0]] = {
                "band_order": order,
                "output_count": _count(alive[kind]),
                "counted_supply_base": sum(alive[kind]),
                "dust_limit_base": limit,
                "dust_output_count": None if dust is None else _count(dust),
                "dust_base": None if dust is None else sum(dust),
                **{column: valued[chain.name, day][column] for column in FLAGS},
            }
    return rows


def _count(values: list[int]) -> int:
    """One that is missing, and spent, is one less."""
    return sum(1 if value >= 0 else -1 for value in values)
