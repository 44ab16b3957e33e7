"""The streams that show the present: each run adds what the source answers now, with the time of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_coingecko import answers, schemas
from tap_coingecko.charts import stamp_of
from tap_coingecko.client import CoinGeckoStream, response_time
from tap_coingecko.errors import AsideError
from tap_coingecko.settings import MAX_COINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

Row = Mapping[str, Any]
#: Characters of a row's id that an error shows.
_SHOWN = 80
#: What `search/trending` lists.
_KINDS = ("coins", "nfts", "categories")


class SnapshotStream(CoinGeckoStream):
    """An answer about now: every row carries `observed_at`, the source's clock when it answered."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False

    #: Parameters of the query, the same for every call.
    parameters: ClassVar[Mapping[str, str]] = {}

    def rows(self, answer: Any) -> Iterable[Row]:  # noqa: ANN401 - JSON
        """Cut an answer, parsed with exact numbers, into rows with the source's own keys; by default it is a list.

        Raises:
            MisfitError: If the answer has another shape.
        """
        if not isinstance(answer, list):
            raise schemas.MisfitError("it is no list")
        return [_object(row, f"row {place}") for place, row in enumerate(answer, 1)]

    @override
    def read(self, context: Context | None) -> Iterator[Record]:
        part = dict(context or {})
        path = self.path.format(**part)
        response = self.ask(path, **{**self.parameters, **self.more_parameters(part)})
        observed_at = response_time(response).isoformat()
        rows: list[Row] = []
        shapes: list[Record] = []
        problem = ""
        try:
            rows = list(self.rows(answers.read(response)))
            shapes = [self._shape(place, row, part, observed_at) for place, row in enumerate(rows, 1)]
        except schemas.MisfitError as error:
            # It names what the source named so, which might repeat the key: it is no cause of the error raised below.
            problem = self.redacted(str(error))
        if problem:
            raise AsideError(f"CoinGecko's answer to {path} has not the shape of {self.name}; none was kept: {problem}")
        yield from shapes
        self.check(rows)

    def _shape(self, place: int, row: Row, part: Mapping[str, str], observed_at: str) -> Record:
        """Bring a row into the form of the schema, with what it is of and when it was observed."""
        named = row.get("id", row.get("currency"))
        which = f"row {place}" + (f" ({named[:_SHOWN]})" if isinstance(named, str) else "")
        for name, asked in part.items():
            if row.get(name, asked) != asked:
                raise schemas.MisfitError(f"{which}: {name} is not {asked}, which was asked for")
        try:
            return schemas.shaped({**row, **part, "observed_at": observed_at}, self.schema)
        except schemas.MisfitError as error:
            raise schemas.MisfitError(f"{which}: {error}") from None

    def more_parameters(self, part: Mapping[str, str]) -> Mapping[str, str | int]:  # noqa: ARG002 - for subclasses
        """Give the parameters that depend on settings or on the part of the stream."""
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
    def check(self, rows: Sequence[Row]) -> None:
        known = {row["id"] for row in rows}
        if missing := [coin for coin in self.config["coins"] if coin not in known]:
            # The source leaves out what it does not know, without a word.
            raise AsideError(f"CoinGecko knows no coin {', '.join(missing)}; check `coins`, which takes ids")


class CoinDetailsStream(SnapshotStream):
    """All that the source has of each configured coin, its exchanges left out."""

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
        # Else the coin that was asked for would be taken for the answer's.
        if _object(answer, "it").get("id") is None:
            raise schemas.MisfitError("id is missing")
        return [answer]


class CoinsListStream(SnapshotStream):
    """Every coin that CoinGecko knows, with its contract addresses."""

    name = "coingecko_coins_list"
    path = "/coins/list"
    schema: ClassVar[dict[str, Any]] = schemas.COINS_LIST_SCHEMA
    # The latest state only: a row a run for each of some 20,000 coins would be mostly equal rows.
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    parameters: ClassVar[Mapping[str, str]] = {"include_platform": "true"}


class AssetPlatformsStream(SnapshotStream):
    """Every platform that tokens live on."""

    name = "coingecko_asset_platforms"
    path = "/asset_platforms"
    schema: ClassVar[dict[str, Any]] = schemas.ASSET_PLATFORMS_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)


class ExchangeRatesStream(SnapshotStream):
    """What one bitcoin is worth in each currency."""

    name = "coingecko_exchange_rates"
    path = "/exchange_rates"
    schema: ClassVar[dict[str, Any]] = schemas.EXCHANGE_RATES_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("currency", "observed_at")

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        rates = _part(answer, "rates").items()
        return [{**_object(rate, f"rates.{currency}"), "currency": currency} for currency, rate in rates]


class GlobalStream(SnapshotStream):
    """Sums over all coins."""

    name = "coingecko_global"
    path = "/global"
    schema: ClassVar[dict[str, Any]] = schemas.GLOBAL_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("observed_at",)

    @override
    def rows(self, answer: Any) -> Iterable[Row]:
        sums = dict(_part(answer, "data"))
        if (seconds := sums.get("updated_at")) is not None:
            is_number = type(seconds) is int or isinstance(seconds, Decimal)
            updated_at = stamp_of(seconds * 1000) if is_number else None
            if updated_at is None:
                raise schemas.MisfitError("data.updated_at is no number of seconds")
            sums["updated_at"] = updated_at.isoformat()
        return [sums]


class TrendingStream(SnapshotStream):
    """What is searched for most: coins, NFTs and categories, as many as the source lists."""

    name = "coingecko_trending"
    path = "/search/trending"
    schema: ClassVar[dict[str, Any]] = schemas.TRENDING_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("observed_at", "kind", "position")

    @override
    def rows(self, answer: Any) -> Iterator[Row]:
        for kind, listed in _object(answer, "it").items():
            if not isinstance(listed, list):
                if kind in _KINDS and listed is not None:
                    raise schemas.MisfitError(f"{kind} is no list")
                continue
            for position, listed_entry in enumerate(listed):
                name = f"{kind}.{position}"
                entry = _object(listed_entry, name)
                item = _part(entry, "item", f"{name}.item") if kind == "coins" else entry
                identity = None if item.get("id") is None else str(item["id"])
                yield {**item, "kind": kind, "position": position, "id": identity, "item": item}


class CategoriesStream(SnapshotStream):
    """Capitalisation and volume of each category of coins."""

    name = "coingecko_categories"
    path = "/coins/categories"
    schema: ClassVar[dict[str, Any]] = schemas.CATEGORIES_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id", "observed_at")


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


def _part(answer: Any, name: str, path: str = "") -> Row:  # noqa: ANN401 - JSON
    """Take the object out of an answer that lies under a name."""
    return _object(_object(answer, "it").get(name), path or name)


def _object(value: Any, name: str) -> Row:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        raise schemas.MisfitError(f"{name} is no object")
    return value
