"""Raw rows as they lie in `raw_data`: one plain select a table, no joins, no sums."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cached_property

from recompute.exact import fraction, maybe_fraction, maybe_whole, whole

UTXO = ("bitcoin", "dogecoin")
CHAINS = (*UTXO, "ethereum")
# Coins have eight decimals, ether has eighteen.
BASE_UNITS = {"bitcoin": 10**8, "dogecoin": 10**8, "ethereum": 10**18}

Ask = Callable[[str], Sequence[Sequence[object]]]


def day_of(moment: datetime) -> date:
    """The UTC day of a moment."""
    return moment.astimezone(UTC).date()


def seconds(moment: datetime) -> int:
    """Seconds since 1970; blocks have no smaller part."""
    return int(moment.timestamp())


@dataclass(frozen=True)
class Block:
    """A block; what its chain does not have is null."""

    height: int
    time: datetime
    is_dumped: bool
    is_settled: bool
    transaction_count: int
    fee_total: int
    generation: int
    reward: int
    miner: str
    difficulty: Fraction
    bits: int | None = None
    weight: int | None = None
    input_count: int | None = None
    output_count: int | None = None
    uncle_generation: int | None = None
    gas_used: int | None = None
    gas_limit: int | None = None
    stated_base_fee: int | None = None
    stated_burn: int | None = None

    @cached_property
    def day(self) -> date:
        """The UTC day on which it counts."""
        return day_of(self.time)


@dataclass(frozen=True)
class Transaction:
    """A transaction, coinbases and Blockchair's synthetic rows included."""

    height: int
    hash: str | None
    time: datetime
    is_user: bool
    fee: int
    charged: Fraction
    """Virtual bytes, bytes or gas."""
    output_total: int = 0
    input_count: int = 0
    output_count: int = 0
    sender: str | None = None
    recipient: str | None = None
    value: int = 0
    internal_value: int = 0
    is_failed: bool = False
    is_creation: bool = False
    input: str | None = None
    place: str | None = None
    """What distinguishes a synthetic row, which has no hash, from the next."""

    @cached_property
    def day(self) -> date:
        """The UTC day on which it counts."""
        return day_of(self.time)


@dataclass(frozen=True)
class Output:
    """An output of a Bitcoin or Dogecoin transaction."""

    height: int
    transaction: str
    index: int
    time: datetime
    value: int
    recipient: str
    script: str
    is_from_coinbase: bool
    can_be_spent: bool

    @property
    def is_data(self) -> bool:
        """Whether it only carries data."""
        return self.script == "nulldata"

    @cached_property
    def day(self) -> date:
        """The UTC day of its creation."""
        return day_of(self.time)


@dataclass(frozen=True)
class Input:
    """A spent output, and where it was spent."""

    transaction: str
    index: int
    time: datetime
    spending_transaction: str
    spending_time: datetime
    value: int
    lifespan: int
    recipient: str
    script: str

    @cached_property
    def day(self) -> date:
        """The UTC day of spending."""
        return day_of(self.spending_time)

    @cached_property
    def created_day(self) -> date:
        """The UTC day on which its output was created."""
        return day_of(self.time)


@dataclass(frozen=True)
class TokenTransfer:
    """A transfer of ERC-20 tokens."""

    height: int
    line: int
    time: datetime
    transaction: str
    token: str
    name: str | None
    symbol: str | None
    decimals: int | None
    sender: str
    recipient: str
    value: int

    @cached_property
    def day(self) -> date:
        """The UTC day on which it counts."""
        return day_of(self.time)


@dataclass(frozen=True)
class Point:
    """A daily point of CoinGecko's."""

    stamp: datetime
    price: Fraction
    market_cap: Fraction | None
    volume: Fraction | None


@dataclass(frozen=True)
class Snapshot:
    """What CoinGecko says of a coin's supply at a moment."""

    observed_at: datetime
    circulating: Fraction | None
    total: Fraction | None
    most: Fraction | None
    fully_diluted: Fraction | None


@dataclass(frozen=True)
class Balance:
    """An address in a snapshot."""

    observed_at: datetime
    address: str
    balance: int
    rank: int | None
    is_of_all: bool


@dataclass
class Raw:
    """All raw rows that the recomputation reads."""

    blocks: dict[str, list[Block]] = field(default_factory=dict)
    transactions: dict[str, list[Transaction]] = field(default_factory=dict)
    outputs: dict[str, list[Output]] = field(default_factory=dict)
    inputs: dict[str, list[Input]] = field(default_factory=dict)
    calls: list[tuple[date, str | None, str | None]] = field(default_factory=list)
    created: dict[tuple[int, str], str] = field(default_factory=dict)
    """What transactions' own calls created, by height and hash."""
    token_transfers: list[TokenTransfer] = field(default_factory=list)
    points: dict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    snapshots: dict[str, list[Snapshot]] = field(default_factory=lambda: defaultdict(list))
    balances: dict[str, list[Balance]] = field(default_factory=dict)
    supplies: dict[str, list[tuple[datetime, int]]] = field(default_factory=dict)


def _moment(given: object) -> datetime:
    assert isinstance(given, datetime), given
    return given.astimezone(UTC)


def _text(given: object) -> str:
    assert isinstance(given, str), given
    return given


def _maybe_text(given: object) -> str | None:
    return None if given is None else _text(given)


def _utxo_blocks(ask: Ask, chain: str) -> Iterable[Block]:
    weight = "weight" if chain == "bitcoin" else "null"
    for row in ask(
        "select id, time, _channel, is_settled, transaction_count, fee_total, generation, reward, guessed_miner,"  # noqa: S608
        f" difficulty, bits, {weight}, input_count, output_count from raw_data.{chain}_blocks"
    ):
        yield Block(
            # the coinbase is no user's
            *(whole(row[0]), _moment(row[1]), row[2] == "dumps", bool(row[3]), whole(row[4]) - 1),
            *(whole(row[5]), whole(row[6]), whole(row[7]), _text(row[8]), fraction(row[9])),
            *(whole(row[10]), maybe_whole(row[11]), whole(row[12]), whole(row[13])),
        )


def _ethereum_blocks(ask: Ask) -> Iterable[Block]:
    for row in ask(
        "select id, time, _channel, is_settled, transaction_count, fee_total, generation, reward, miner, difficulty,"
        " uncle_generation, gas_used, gas_limit, base_fee_per_gas, burned_total"
        " from raw_data.ethereum_blocks"
    ):
        yield Block(
            *(whole(row[0]), _moment(row[1]), row[2] == "dumps", bool(row[3]), whole(row[4])),
            *(whole(row[5]), whole(row[6]), whole(row[7]), _text(row[8]), fraction(row[9])),
            uncle_generation=maybe_whole(row[10]),
            gas_used=whole(row[11]),
            gas_limit=whole(row[12]),
            stated_base_fee=maybe_whole(row[13]),
            stated_burn=maybe_whole(row[14]),
        )


def _utxo_transactions(ask: Ask, chain: str) -> Iterable[Transaction]:
    # virtual bytes are quarters of the weight
    charged = "weight, 4" if chain == "bitcoin" else "size, 1"
    for row in ask(
        f"select block_id, hash, time, is_coinbase, fee, {charged}, output_total, input_count,"  # noqa: S608
        f" output_count from raw_data.{chain}_transactions"
    ):
        yield Transaction(
            *(whole(row[0]), _text(row[1]), _moment(row[2]), not row[3], whole(row[4])),
            Fraction(whole(row[5]), whole(row[6])),
            *(whole(row[7]), whole(row[8]), whole(row[9])),
        )


def _ethereum_transactions(ask: Ask) -> Iterable[Transaction]:
    for row in ask(
        "select block_id, hash, time, type, fee, gas_used, sender, recipient, value, internal_value, failed, input_hex,"
        " _unit, _line"
        " from raw_data.ethereum_transactions"
    ):
        yield Transaction(
            *(whole(row[0]), _maybe_text(row[1]), _moment(row[2]), row[3] != "synthetic_coinbase"),
            *(whole(row[4] or 0), Fraction(whole(row[5] or 0))),
            sender=_maybe_text(row[6]),
            recipient=_maybe_text(row[7]),
            value=whole(row[8]),
            internal_value=whole(row[9]),
            is_failed=bool(row[10]),
            is_creation=row[3] in ("create", "create_tree"),
            input=_maybe_text(row[11]),
            place=f"{row[12]}#{row[13]}",
        )


def _outputs(ask: Ask, chain: str) -> Iterable[Output]:
    for row in ask(
        "select block_id, transaction_hash, index, time, value, recipient, type, is_from_coinbase, is_spendable"  # noqa: S608
        f" from raw_data.{chain}_outputs"
    ):
        height, is_from_coinbase = whole(row[0]), bool(row[7])
        # the coins of Bitcoin's first block are in no node's set of what can be spent
        is_first = chain == "bitcoin" and height == 0 and is_from_coinbase
        yield Output(
            *(height, _text(row[1]), whole(row[2]), _moment(row[3]), whole(row[4]), _text(row[5])),
            *(_text(row[6]), is_from_coinbase, maybe_whole(row[8]) != 0 and not is_first),
        )


def _inputs(ask: Ask, chain: str) -> Iterable[Input]:
    for row in ask(
        "select transaction_hash, index, time, spending_transaction_hash, spending_time, value, lifespan, recipient,"  # noqa: S608
        f" type from raw_data.{chain}_inputs"
    ):
        yield Input(
            *(_text(row[0]), whole(row[1]), _moment(row[2]), _text(row[3]), _moment(row[4])),
            *(whole(row[5]), whole(row[6]), _text(row[7]), _text(row[8])),
        )


def _token_transfers(ask: Ask) -> Iterable[TokenTransfer]:
    for row in ask(
        "select block_id, _line, time, transaction_hash, token_address, token_name, token_symbol, token_decimals,"
        " sender, recipient, value from raw_data.ethereum_erc20_transactions"
    ):
        yield TokenTransfer(
            *(whole(row[0]), whole(row[1]), _moment(row[2]), _text(row[3]), _text(row[4])),
            # an empty text is unknown
            *(_maybe_text(row[5]) or None, _maybe_text(row[6]) or None, maybe_whole(row[7])),
            *(_text(row[8]), _text(row[9]), whole(row[10])),
        )


def _balances(ask: Ask, chain: str) -> Iterable[Balance]:
    for row in ask(f"select observed_at, address, balance, rank, _channel from raw_data.{chain}_addresses"):  # noqa: S608
        yield Balance(_moment(row[0]), _text(row[1]), whole(row[2]), maybe_whole(row[3]), is_of_all=row[4] == "dumps")


def read(ask: Ask) -> Raw:
    """Read everything."""
    raw = Raw()
    for chain in CHAINS:
        if chain in UTXO:
            raw.blocks[chain] = list(_utxo_blocks(ask, chain))
            raw.transactions[chain] = list(_utxo_transactions(ask, chain))
            raw.outputs[chain] = list(_outputs(ask, chain))
            raw.inputs[chain] = list(_inputs(ask, chain))
        else:
            raw.blocks[chain] = list(_ethereum_blocks(ask))
            raw.transactions[chain] = list(_ethereum_transactions(ask))
        raw.balances[chain] = list(_balances(ask, chain))
        supply = "circulation" if chain in UTXO else "circulation_approximate"
        rows = ask(f"select observed_at, {supply} from raw_data.{chain}_stats")  # noqa: S608
        raw.supplies[chain] = [(_moment(row[0]), whole(row[1])) for row in rows]
    raw.calls = [
        (day_of(_moment(row[0])), _maybe_text(row[1]), _maybe_text(row[2]))
        for row in ask("select time, sender, recipient from raw_data.ethereum_calls")
    ]
    raw.token_transfers = list(_token_transfers(ask))
    for height, name, index, kind, has_failed, recipient in ask(
        "select block_id, transaction_hash, index, type, failed, recipient from raw_data.ethereum_calls"
    ):
        if kind == "create" and index == "0" and not has_failed:
            raw.created[whole(height), _text(name)] = _text(recipient)
    for coin, stamp, price, market_cap, volume in ask(
        "select coin_id, stamp, price, market_cap, total_volume from raw_data.coingecko_market_chart"
        " where vs_currency = 'usd' and granularity = 'daily' and price is not null"
    ):
        point = Point(_moment(stamp), fraction(price), maybe_fraction(market_cap), maybe_fraction(volume))
        raw.points[_text(coin)].append(point)
    for coin, given, price, market_cap, volume in ask(
        "select coin_id, date, price_usd, market_cap_usd, total_volume_usd from raw_data.coingecko_token"
        " where price_usd is not null"
    ):
        midnight = datetime.fromisoformat(f"{str(given)[:10]}T00:00:00+00:00")
        point = Point(midnight, fraction(price), maybe_fraction(market_cap), maybe_fraction(volume))
        raw.tokens[_text(coin)].append(point)
    for coin, observed_at, *supplies in ask(
        "select id, observed_at, circulating_supply, total_supply, max_supply, fully_diluted_valuation"
        " from raw_data.coingecko_coins_markets where vs_currency = 'usd'"
    ):
        raw.snapshots[_text(coin)].append(Snapshot(_moment(observed_at), *map(maybe_fraction, supplies)))
    return raw
