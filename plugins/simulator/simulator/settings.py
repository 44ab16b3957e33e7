"""The parameters of a simulated world: what a person may choose, and within which bounds."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from simulator.blockchair.chains import CHAINS, default_chains

_KEY: Final = re.compile(r"[^\s:,&]+(:\d{1,9})?")
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
"""What can be switched on to make the answers odd, as the vendor's have been at times (contract 9.1)."""
COINGECKO_LIMITS: Final = ("off", "plan")
"""Whether CoinGecko's clients have the limits of their plan."""
COINGECKO_PLANS: Final = ("keyless", "demo", "basic", "analyst", "lite", "pro", "enterprise")
"""The plans, from the smallest to the largest."""
_COINGECKO_KEY: Final = re.compile(rf"[^\s:,&]+(:({'|'.join(COINGECKO_PLANS[1:])}))?(:\d{{1,9}})?")
ERAS: Final = ("merged", "london")
"""Ethereum's rules: after the Merge, or between London and the Merge, with uncles and rewards for blocks."""


class SettingsError(ValueError):
    """A parameter that cannot be used; its text is one sentence that names the parameter."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters of a simulated world.

    Attributes:
        state_dir: Folder for what outlives a run: clock, port, record, log. Only this one has no default.
        seed: Seed of everything that looks random; the same seed and sizes give the same bytes.
        start: First day (UTC) of the simulated chains.
        days: Whole days that lie in the past when the clock starts.
        blocks_per_day: Blocks per chain and day.
        transactions_per_block: Transactions per block, the coinbase included.
        dumps_dir: Folder of real dump files to serve unchanged in place of the simulated dumps.
        prices_dir: Folder of real price exports to serve in place of the simulated prices.
        chains: The chains to simulate, of CHAINS.
        now: Where the clock starts, UTC; when None, 06:00 of the day after the last whole day.
        points_per_day: Blockchair's points a day without a key; None for no limit.
        requests_per_minute: Blockchair's requests a minute without a key; None for no limit.
        api_keys: Keys that Blockchair's API knows, each as `key` or `key:points a day`; every key is good when empty.
        coingecko_keys: Keys that CoinGecko knows, each as `key`, followed by `:plan` and `:credits a month` if need be;
            every key is good when empty.
        coingecko_limits: Whether calls a minute and credits a month are those of the plans, of COINGECKO_LIMITS.
        coingecko_per_minute: Calls a minute for each of CoinGecko's clients in place of the plan's; None for those.
        coingecko_credits: Credits a month for each key in place of the plan's; None for those.
        quirks: Oddities that are switched on, of QUIRKS.
        ethereum_era: Ethereum's rules, of ERAS.
    """

    state_dir: Path
    seed: int = 1
    start: date = date(2025, 1, 1)
    days: int = 14
    blocks_per_day: int = 24
    transactions_per_block: int = 8
    dumps_dir: Path | None = None
    prices_dir: Path | None = None
    chains: tuple[str, ...] = dataclasses.field(default_factory=default_chains)
    now: datetime | None = None
    points_per_day: int | None = None
    requests_per_minute: int | None = None
    api_keys: tuple[str, ...] = ()
    coingecko_keys: tuple[str, ...] = ()
    coingecko_limits: str = COINGECKO_LIMITS[0]
    coingecko_per_minute: int | None = None
    coingecko_credits: int | None = None
    quirks: tuple[str, ...] = ()
    ethereum_era: str = ERAS[0]

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            SettingsError: One sentence naming the parameter, its value and what is allowed.
        """
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("days", self.days, 1, 3660)
        _within("blocks_per_day", self.blocks_per_day, 1, 8640)
        _within("transactions_per_block", self.transactions_per_block, 1, 10_000)
        last = LAST_DAY - timedelta(days=self.days)
        if not FIRST_DAY <= self.start <= last:
            raise SettingsError(f"start is {self.start}, but must lie between {FIRST_DAY} and {last}.")
        for name in ("dumps_dir", "prices_dir"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise SettingsError(f"{name} is {folder}, which is not a folder.")
        self._check_blockchair()
        self._check_coingecko()
        unknown = [chain for chain in self.chains if chain not in CHAINS]
        if unknown or not self.chains or len(set(self.chains)) != len(self.chains):
            raise SettingsError(
                f"chains is {','.join(self.chains)!r}, but must name one or more of {', '.join(CHAINS)}, each once."
            )
        if self.now is not None:
            if self.now.utcoffset() != timedelta(0):
                raise SettingsError(f"now is {self.now.isoformat()}, but must be given in UTC.")
            if not self.start <= self.now.date() <= LAST_DAY:
                raise SettingsError(f"now is {self.now.isoformat()}, but must lie between {self.start} and {LAST_DAY}.")

    def _check_blockchair(self) -> None:
        for name in ("points_per_day", "requests_per_minute"):
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), 1, 10**9)
        if not all(_KEY.fullmatch(key) for key in self.api_keys):
            raise SettingsError("api_keys is no list of keys such as `key` or `key:1000`.")
        odd = [quirk for quirk in self.quirks if quirk not in QUIRKS]
        if odd:
            raise SettingsError(f"quirks is {','.join(odd)}, but must name some of {', '.join(QUIRKS)}.")
        if self.ethereum_era not in ERAS:
            raise SettingsError(f"ethereum_era is {self.ethereum_era!r}, but must be one of {', '.join(ERAS)}.")

    def _check_coingecko(self) -> None:
        for name in ("coingecko_per_minute", "coingecko_credits"):
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), 1, 10**9)
        if not all(_COINGECKO_KEY.fullmatch(key) for key in self.coingecko_keys):
            raise SettingsError(
                "coingecko_keys is no list of keys such as `key`, `key:plan` or `key:plan:1000`, "
                f"with a plan of {', '.join(COINGECKO_PLANS[1:])}."
            )
        if self.coingecko_limits not in COINGECKO_LIMITS:
            raise SettingsError(
                f"coingecko_limits is {self.coingecko_limits!r}, but must be one of {', '.join(COINGECKO_LIMITS)}."
            )

    @property
    def clock_start(self) -> datetime:
        """The instant at which the clock stands before it is advanced, UTC."""
        return self.now or datetime.combine(self.start + timedelta(days=self.days), time(6), tzinfo=UTC)

    def parameters(self) -> dict[str, object]:
        """The parameters that make the world, as JSON values; the state folder is not one of them."""
        values: dict[str, object] = {}
        for field in dataclasses.fields(self):
            if field.name == "state_dir":
                continue
            value = getattr(self, field.name)
            if isinstance(value, date):  # a datetime is one as well
                value = value.isoformat()
            elif isinstance(value, Path):
                value = str(value)
            elif isinstance(value, tuple):
                value = list(value)
            values[field.name] = value
        return values


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}, but must lie between {low} and {high}.")
