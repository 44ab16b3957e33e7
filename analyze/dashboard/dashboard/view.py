"""What is in view: coins and days, as they stand in the address."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from dashboard.errors import DashboardError
from dashboard.warehouse import Row

DEFAULT_SPAN = "92"
# What a person chooses from, in days; `all` is from the first day on.
SPANS = {"7": "7 days", "30": "30 days", "92": "92 days", "365": "a year", "all": "all days"}
_BAD_REQUEST = 400
_NO_BLOCKS = (
    "no blocks are loaded, so this page has nothing to show; prices are on the page Market."
    " docs/guides/chains.md says how to load a chain."
)
_EMPTY = "the warehouse is empty: `make run` fills a local one; `meltano run crypto-elt` loads and builds live data."


@dataclass(frozen=True)
class View:
    """Coins and days.

    Attributes:
        coins: CoinGecko's names of them, in the order of the choice.
        names: What each coin is called, by that name.
        first: The first day.
        last: The last day.
        span: A key of SPANS; empty where first and last were given.
        choice: All coins that can be chosen.
    """

    coins: tuple[str, ...]
    names: Mapping[str, str]
    first: dt.date
    last: dt.date
    span: str
    choice: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, object]:
        """For a query."""
        return {"coins": list(self.coins), "first": self.first, "last": self.last}

    @property
    def title(self) -> str:
        """The coins by name."""
        return ", ".join(self.names[coin] for coin in self.coins)

    @property
    def query(self) -> str:
        """The part of an address that leads to this view; empty for the one that nothing was chosen for."""
        pairs: list[tuple[str, str]] = []
        if self.coins != self.choice:
            pairs.extend(("coin", coin) for coin in self.coins)
        if not self.span:
            pairs.extend((("from", self.first.isoformat()), ("to", self.last.isoformat())))
        elif self.span != DEFAULT_SPAN:
            pairs.append(("days", self.span))
        return urlencode(pairs)


def read_view(options: Sequence[Row], asked: Sequence[tuple[str, str]], *, only_chains: bool) -> View:
    """The view that an address asks for.

    Args:
        options: Coins and days that there are, as `options.sql` gives them.
        asked: Names and values of the address.
        only_chains: Whether a coin without a chain has nothing to show.

    Raises:
        DashboardError: A coin or a day that is none; status 400.
    """
    first_day, last_day = ("first_block_day", "last_block_day") if only_chains else ("first_day", "last_day")
    offered = {row["coin"]: row for row in options if row[first_day] is not None}
    if not offered:
        raise DashboardError(_NO_BLOCKS if options else _EMPTY, 200)
    wanted = [value for name, value in asked if name == "coin"]
    everywhere = {row["coin"] for row in options}
    foreign = [coin for coin in wanted if coin not in everywhere]
    if foreign:
        raise DashboardError(
            f"no coin is called {foreign[0][:20]!r} here; there are {', '.join(offered)}.", _BAD_REQUEST
        )
    coins = tuple(coin for coin in offered if coin in wanted) or tuple(offered)
    newest = max(row[last_day] for row in offered.values())
    oldest = min(row[first_day] for row in offered.values())
    given = {name: value for name, value in asked if name in ("from", "to", "days")}
    span = "" if "from" in given or "to" in given else given.get("days", DEFAULT_SPAN)
    last = _day(given.get("to"), newest)
    first = _day(given.get("from"), oldest)
    if span:
        if span not in SPANS:
            raise DashboardError(f"days is {span[:20]!r}: it is one of {', '.join(SPANS)}.", _BAD_REQUEST)
        if span != "all":
            first = max(oldest, newest - dt.timedelta(days=int(span) - 1))
    if first > last:
        raise DashboardError(f"the first day, {first}, is after the last one, {last}: exchange them.", _BAD_REQUEST)
    names = {coin: str(row["asset_name"]) for coin, row in offered.items()}
    return View(coins, names, first, last, span, tuple(offered))


def _day(text: str | None, default: dt.date) -> dt.date:
    if not text:
        return default
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise DashboardError(f"{text[:20]!r} is no day: write it as 2025-01-31.", _BAD_REQUEST) from None
