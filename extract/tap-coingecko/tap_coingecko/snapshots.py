"""The streams that show the present: each run adds what the source says now, with the time at which it says so."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from tap_coingecko import schemas
from tap_coingecko.charts import EPOCH
from tap_coingecko.client import CoinGeckoStream, response_time
from tap_coingecko.errors import AsideError
from tap_coingecko.settings import MAX_COINS

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

Row = Mapping[str, Any]


class SnapshotStream(CoinGeckoStream):
    """An answer about now: every row carries `observed_at`, the source's clock when it answered."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False

    #: Parameters of the query, the same for every call.
    parameters: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def rows(self, answer: Any) -> Iterable[Row]:  # noqa: ANN401 - JSON
        """Cut an answer into rows.

        Args:
            answer: The parsed answer, with exact numbers.

        Returns:
            Rows with the source's own keys.

        Raises:
            TypeError: If the answer has another shape; KeyError likewise.
        """

    @override
    def read(self, context: Context | None) -> Iterator[Record]:
        part = dict(context or {})
        path = self.path.format(**part)
        response = self.ask(path, **{**self.parameters, **self.more_parameters(part)})
        observed_at = response_time(response).isoformat()
        try:
            rows = [_checked(row) for row in self.rows(response.json(parse_float=Decimal))]
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise AsideError(f"CoinGecko's answer to {path} has not the shape of {self.name}; none was kept") from error
        for row in rows:
            yield schemas.shaped({**row, **part, "observed_at": observed_at}, self.schema)
        self.check(rows)

    def more_parameters(self, part: Mapping[str, str]) -> Mapping[str, str | int]:  # noqa: ARG002 - for subclasses
        """Tell the parameters that depend on settings or on the part of the stream."""
        return {}

    def check(self, rows: Sequence[Row]) -> None:
        """Look whether the answer holds what was asked for, once its rows were sent.

        Raises:
            AsideError: If it does not.
        """


class CoinsMarketsStream(SnapshotStream):
    """Price, capitalisation, volume, supply and extremes of the configured coins, one call per currency."""

    name = "coingecko_coins_markets"
    path = "/coins/markets"
    schema: ClassVar[dict[str, Any]] = schemas.MARKETS_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id", "vs_currency", "observed_at")

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return [{"vs_currency": currency} for currency in self.config["vs_currencies"]]

    @override
    def more_parameters(self, part: Mapping[str, str]) -> Mapping[str, str | int]:
        coins = ",".join(self.config["coins"])
        return {"vs_currency": part["vs_currency"], "ids": coins, "per_page": MAX_COINS, "precision": "full"}

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return _identified(answer)

    @override
    def check(self, rows: Sequence[Row]) -> None:
        known = {row["id"] for row in rows}
        if missing := [coin for coin in self.config["coins"] if coin not in known]:
            # The source leaves out what it does not know, without a word.
            raise AsideError(f"CoinGecko knows no coin {', '.join(missing)}; check `coins`, which takes ids")


class CoinDetailsStream(SnapshotStream):
    """All that is told of each configured coin, its exchanges left out."""

    name = "coingecko_coin_details"
    path = "/coins/{id}"
    schema: ClassVar[dict[str, Any]] = schemas.DETAILS_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id", "observed_at")
    parameters: ClassVar[Mapping[str, str]] = {"localization": "false", "tickers": "false", "sparkline": "false"}

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return [{"id": coin} for coin in self.config["coins"]]

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return _identified([answer])


class CoinsListStream(SnapshotStream):
    """Every coin that CoinGecko knows, with its contract addresses."""

    name = "coingecko_coins_list"
    path = "/coins/list"
    schema: ClassVar[dict[str, Any]] = schemas.COINS_LIST_SCHEMA
    # The latest state only: a row a run for each of some 20,000 coins would be a heap of equal rows.
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    parameters: ClassVar[Mapping[str, str]] = {"include_platform": "true"}

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return _identified(answer)


class AssetPlatformsStream(SnapshotStream):
    """Every platform that tokens live on."""

    name = "coingecko_asset_platforms"
    path = "/asset_platforms"
    schema: ClassVar[dict[str, Any]] = schemas.ASSET_PLATFORMS_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return _identified(answer)


class ExchangeRatesStream(SnapshotStream):
    """What one bitcoin is worth in each currency."""

    name = "coingecko_exchange_rates"
    path = "/exchange_rates"
    schema: ClassVar[dict[str, Any]] = schemas.EXCHANGE_RATES_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("currency", "observed_at")

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return [{**_checked(rate), "currency": currency} for currency, rate in answer["rates"].items()]


class GlobalStream(SnapshotStream):
    """Sums over all coins."""

    name = "coingecko_global"
    path = "/global"
    schema: ClassVar[dict[str, Any]] = schemas.GLOBAL_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("observed_at",)

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        sums = dict(_checked(answer["data"]))
        if (updated_at := sums.get("updated_at")) is not None:
            sums["updated_at"] = (EPOCH + timedelta(seconds=int(updated_at))).isoformat()
        return [sums]


class TrendingStream(SnapshotStream):
    """What is searched for most: coins, NFTs and categories, as many as the source lists."""

    name = "coingecko_trending"
    path = "/search/trending"
    schema: ClassVar[dict[str, Any]] = schemas.TRENDING_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("observed_at", "kind", "position")

    @override
    def rows(self, answer: Any) -> Iterator[Row]:
        for kind, listed in answer.items():
            for position, entry in enumerate(listed if isinstance(listed, list) else ()):
                item = entry["item"] if kind == "coins" else entry
                identity = None if item.get("id") is None else str(item["id"])
                yield {**item, "kind": kind, "position": position, "id": identity, "item": item}


class CategoriesStream(SnapshotStream):
    """Capitalisation and volume of each category of coins."""

    name = "coingecko_categories"
    path = "/coins/categories"
    schema: ClassVar[dict[str, Any]] = schemas.CATEGORIES_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id", "observed_at")

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        return _identified(answer)


SNAPSHOTS: tuple[type[SnapshotStream], ...] = (
    AssetPlatformsStream,
    CategoriesStream,
    CoinDetailsStream,
    CoinsListStream,
    CoinsMarketsStream,
    ExchangeRatesStream,
    GlobalStream,
    TrendingStream,
)


def _identified(rows: Any) -> list[Row]:  # noqa: ANN401 - JSON
    """Check that an answer is a list of rows with an id."""
    if not isinstance(rows, list):
        raise TypeError(rows)
    if any(_checked(row)["id"] is None for row in rows):
        raise KeyError("id")
    return rows


def _checked(row: Any) -> Row:  # noqa: ANN401 - JSON
    if not isinstance(row, Mapping):
        raise TypeError(row)
    return row
