"""The parameters of a simulated world: what a person may choose, and within which bounds."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from simulator.blockchair.chains import CHAINS, default_chains
from simulator.coingecko.plans import PLANS

FIRST_DAY: Final = date(2009, 1, 3)
"""The day of the oldest block of any chain; no world starts earlier."""
LAST_DAY: Final = date(2099, 12, 31)
"""Keeps every stamp well inside the 32 bits of a block header's time."""

QUIRKS: Final = {
    "cache-ignore": 'every answer says cache.duration "Ignore"',
    "coingecko-early-midnights": "/market_chart has a day's 00:00 point from 00:10 on, in place of 00:35",
    "coingecko-extra-keys": "CoinGecko's objects have a key that nobody knows",
    "coingecko-failures-cost": "CoinGecko takes a credit for failed calls as well",
    "coingecko-hourly-enterprise": "interval=hourly is for Enterprise clients only",
    "coingecko-quota-401": "CoinGecko's spent credits are refused with 401, in place of 429",
    "control-characters": "names of some ERC-20 tokens hold NUL and other control characters",
    "duplicate-outputs": "outputs pages lose duplicates, so that rows is below pre_rows",
    "empty-nulls": r"nulls in dumps are empty fields in place of \N",
    "extra-columns": "unknown columns, in the middle and at the end, in dumps and in the API",
    "final-newline": "dump files end with a line end",
    "lagging-tables": "Ethereum's tables trail context.state by 6 blocks",
    "london-columns": "Ethereum's dumps end with the columns that London added",
    "mempool": "payments of the block to come wait in the mempool, which is empty otherwise",
    "missing-columns": "dumps lack their column time",
    "nonce-strings": "nonces of Ethereum's transactions are strings in the API",
    "past-update": "next_major_update lies in the past",
}
"""Deviations of the answers that can be switched on, as the vendor's have been at times (contract 9.1)."""
MERGED: Final = "merged"
LONDON: Final = "london"
"""Ethereum's rules: after the Merge, or between London and the Merge, with uncles and rewards for blocks."""
_PLANS_WITH_A_KEY: Final = [name for name in PLANS if name != "keyless"]
_KEYS: Final = {
    "api_keys": (re.compile(r"[^\s:,&]+(:\d{1,9})?"), "`key` or `key:1000`"),
    "coingecko_keys": (
        re.compile(rf"[^\s:,&]+(:({'|'.join(_PLANS_WITH_A_KEY)}))?(:\d{{1,9}})?"),
        f"`key`, `key:plan` or `key:plan:1000`, with a plan of {', '.join(_PLANS_WITH_A_KEY)}",
    ),
}
_SOME: Final = (1, 10**9)
_BY_CHAIN: Final = ("blocks_per_day", "transactions_per_block")


class SimulatorError(Exception):
    """Something expected went wrong; the text says what, where and what to do next."""


class SettingsError(SimulatorError):
    """A parameter that cannot be used; its text is one sentence that names the parameter."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters of a simulated world. All but `state_dir` (what outlives a run) are options of the command.

    A key is written as `key`, followed by `:points a day` for Blockchair, `:plan` and `:credits a month` for CoinGecko.
    """

    state_dir: Path
    seed: int = field(default=1, metadata={"help": "Seed of everything that looks random.", "bounds": (0, 2**63 - 1)})
    start: date = field(default=date(2025, 1, 1), metadata={"help": "First day (UTC) of the chains."})
    days: int = field(default=14, metadata={"help": "Whole days that lie in the past at first.", "bounds": (1, 3660)})
    blocks_per_day: int | str = field(
        default=24,
        metadata={"help": "Blocks per day, of all chains or by chain: 24, or 24,bitcoin=144.", "within": (1, 8640)},
    )
    transactions_per_block: int | str = field(
        default=8,
        metadata={
            "help": "Transactions per block, the coinbase included, in the same form: 8, or bitcoin=2800,dogecoin=30.",
            "within": (1, 10_000),
        },
    )
    calls_per_transaction: int | None = field(
        default=None,
        metadata={"help": "Calls per transaction of Ethereum on average; else some three.", "bounds": (1, 100)},
    )
    dumps_dir: Path | None = field(default=None, metadata={"help": "Folder of real dump files to serve unchanged."})
    prices_dir: Path | None = field(default=None, metadata={"help": "Folder of real price exports to serve."})
    chains: tuple[str, ...] = field(
        default=default_chains(), metadata={"help": f"Chains to simulate, comma separated, of {', '.join(CHAINS)}."}
    )
    now: datetime | None = field(
        default=None, metadata={"help": "Where the clock starts, UTC; else 06:00 after the last day."}
    )
    points_per_day: int | None = field(
        default=None, metadata={"help": "Blockchair's points a day without a key; else no limit.", "bounds": _SOME}
    )
    requests_per_minute: int | None = field(
        default=None, metadata={"help": "Blockchair's requests a minute without a key; else no limit.", "bounds": _SOME}
    )
    api_keys: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Blockchair's keys, comma separated, each `key` or `key:points`; else all are good."},
    )
    coingecko_keys: tuple[str, ...] = field(
        default=(), metadata={"help": "CoinGecko's keys, comma separated, each `key[:plan][:credits]`; else all."}
    )
    coingecko_limits: str = field(
        default="off", metadata={"help": "CoinGecko's limits: none, or the plans'.", "choices": ("off", "plan")}
    )
    coingecko_per_minute: int | None = field(
        default=None,
        metadata={"help": "CoinGecko's calls a minute and client, in place of the plan's.", "bounds": _SOME},
    )
    coingecko_credits: int | None = field(
        default=None, metadata={"help": "CoinGecko's credits a month and key, in place of the plan's.", "bounds": _SOME}
    )
    quirks: tuple[str, ...] = field(default=(), metadata={"help": f"Deviations, comma separated: {', '.join(QUIRKS)}."})
    ethereum_era: str = field(
        default=MERGED,
        metadata={"help": "Ethereum after the Merge, or between London and it.", "choices": (MERGED, LONDON)},
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            SettingsError: One sentence naming the parameter, its value and what is allowed.
        """
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            choices, (low, high) = setting.metadata.get("choices"), setting.metadata.get("bounds", (None, None))
            if choices is not None and value not in choices:
                raise SettingsError(f"{setting.name} is {value!r}, but must be one of {', '.join(choices)}.")
            if low is not None and value is not None and not low <= value <= high:
                raise SettingsError(f"{setting.name} is {value}, but must lie between {low} and {high}.")
        self._check_sizes()
        last = LAST_DAY - timedelta(days=self.days)
        if not FIRST_DAY <= self.start <= last:
            raise SettingsError(f"start is {self.start}, but must lie between {FIRST_DAY} and {last}.")
        for name in ("dumps_dir", "prices_dir"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise SettingsError(f"{name} is {folder}, which is not a folder.")
        self._check_lists()
        if self.now is not None:
            if self.now.utcoffset() != timedelta(0):
                raise SettingsError(f"now is {self.now.isoformat()}, but must be given in UTC.")
            if not self.start <= self.now.date() <= LAST_DAY:
                raise SettingsError(f"now is {self.now.isoformat()}, but must lie between {self.start} and {LAST_DAY}.")

    def _check_sizes(self) -> None:
        fields = {setting.name: setting for setting in dataclasses.fields(self)}
        for name in _BY_CHAIN:
            value, (low, high) = getattr(self, name), fields[name].metadata["within"]
            try:
                sizes = sizes_of(value)
            except ValueError as error:
                raise SettingsError(f"{name} is {value!r}: {error}") from None
            unknown = [chain for chain in sizes if chain and chain not in CHAINS]
            if unknown:
                raise SettingsError(f"{name} names {unknown[0]!r}, but the chains are {', '.join(CHAINS)}.")
            if not all(low <= size <= high for size in sizes.values()):
                raise SettingsError(f"{name} is {value}, but must lie between {low} and {high}.")

    def _check_lists(self) -> None:
        for name, (form, described) in _KEYS.items():
            if not all(form.fullmatch(key) for key in getattr(self, name)):
                raise SettingsError(f"{name} is no list of keys such as {described}.")
        unknown = [quirk for quirk in self.quirks if quirk not in QUIRKS]
        if unknown:
            raise SettingsError(f"quirks is {','.join(unknown)}, but must name some of {', '.join(QUIRKS)}.")
        if not self.chains or not CHAINS.keys() >= set(self.chains) or len(set(self.chains)) != len(self.chains):
            raise SettingsError(
                f"chains is {','.join(self.chains)!r}, but must name one or more of {', '.join(CHAINS)}, each once."
            )

    def blocks_per_day_of(self, chain: str) -> int:
        """Blocks of a chain's day."""
        return _size(chain, self.blocks_per_day, Settings.blocks_per_day)

    def transactions_per_block_of(self, chain: str) -> int:
        """Transactions of a chain's blocks on average, the coinbase included."""
        return _size(chain, self.transactions_per_block, Settings.transactions_per_block)

    @property
    def clock_start(self) -> datetime:
        """The instant at which the clock stands before it is advanced, UTC."""
        return self.now or datetime.combine(self.start + timedelta(days=self.days), time(6), tzinfo=UTC)

    def parameters(self) -> dict[str, object]:
        """The parameters that make the world, as JSON values; the state folder is not one of them."""
        values: dict[str, object] = {}
        for setting in dataclasses.fields(self)[1:]:
            value = getattr(self, setting.name)
            if isinstance(value, date):  # a datetime is one as well
                value = value.isoformat()
            elif isinstance(value, Path):
                value = str(value)
            elif isinstance(value, tuple):
                value = list(value)
            values[setting.name] = value
        return values


def sizes_of(given: int | str) -> dict[str, int]:
    """What a size by chain says: the chains' names with their numbers; without a name, that of all the others.

    Raises:
        ValueError: It says nothing, or something twice; the text says how it is written.
    """
    parts = [part.strip().rpartition("=") for part in str(given).split(",")]
    sizes = {chain.strip(): int(size) for chain, _, size in parts if re.fullmatch(r"\s*-?\d{1,9}", size, re.ASCII)}
    if len(sizes) != len(parts) or any(equals and not chain.strip() for chain, equals, _ in parts):
        raise ValueError("write a number, or chains with theirs, such as 8 or bitcoin=2800,dogecoin=30, each once.")
    return sizes


def read_sizes(text: str) -> int | str:
    """A size by chain as it was typed; a plain number as one."""
    sizes = sizes_of(text)
    return (
        sizes[""] if list(sizes) == [""] else ",".join(f"{chain}={size}".lstrip("=") for chain, size in sizes.items())
    )


def _size(chain: str, given: int | str, default: int | str) -> int:
    sizes = sizes_of(given)
    return sizes.get(chain, sizes.get("", int(default)))
