"""Schemas of the streams. Every amount is a number, whatever it looks like today; ranks and counts are integers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The column for keys of the source that have no column: nothing it sends is dropped.
EXTRA = "extra"

#: An object, or a list, kept as it came.
_OBJECT = th.ObjectType(additional_properties=True)
_LIST = th.CustomType({"type": ["array", "null"]})

_OBSERVED_AT = th.Property(
    "observed_at", th.DateTimeType, required=True, description="The source's clock when it answered."
)
_EXTRA = th.Property(EXTRA, _OBJECT, description="What the source sends beyond these columns.")

MARKETS_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the coin."),
    th.Property("vs_currency", th.StringType, required=True, description="Currency of every amount in the row."),
    _OBSERVED_AT,
    th.Property("symbol", th.StringType),
    th.Property("name", th.StringType),
    th.Property("image", th.StringType),
    th.Property("current_price", th.NumberType),
    th.Property("market_cap", th.NumberType),
    th.Property("market_cap_rank", th.IntegerType),
    th.Property("fully_diluted_valuation", th.NumberType),
    th.Property("total_volume", th.NumberType, description="Trading volume of the 24 hours before."),
    th.Property("high_24h", th.NumberType),
    th.Property("low_24h", th.NumberType),
    th.Property("price_change_24h", th.NumberType),
    th.Property("price_change_percentage_24h", th.NumberType),
    th.Property("market_cap_change_24h", th.NumberType),
    th.Property("market_cap_change_percentage_24h", th.NumberType),
    th.Property("circulating_supply", th.NumberType, description="In coins."),
    th.Property("total_supply", th.NumberType, description="In coins."),
    th.Property("max_supply", th.NumberType, description="In coins; null for a coin without a cap."),
    th.Property("ath", th.NumberType, description="Highest price ever."),
    th.Property("ath_change_percentage", th.NumberType),
    th.Property("ath_date", th.DateTimeType),
    th.Property("atl", th.NumberType, description="Lowest price ever."),
    th.Property("atl_change_percentage", th.NumberType),
    th.Property("atl_date", th.DateTimeType),
    th.Property(
        "roi",
        th.ObjectType(
            th.Property("times", th.NumberType),
            th.Property("currency", th.StringType),
            th.Property("percentage", th.NumberType),
            additional_properties=True,
        ),
        description="Return since the coin's sale, if it had one.",
    ),
    th.Property("last_updated", th.DateTimeType),
    _EXTRA,
).to_dict()

CHART_SCHEMA = th.PropertiesList(
    th.Property("coin_id", th.StringType, required=True, description="CoinGecko id of the coin."),
    th.Property("vs_currency", th.StringType, required=True, description="Currency of every amount in the row."),
    th.Property("granularity", th.StringType, required=True, description="daily or hourly."),
    th.Property("stamp", th.DateTimeType, required=True, description="The exact stamp, to the millisecond, UTC."),
    th.Property(
        "stamp_date",
        th.DateType,
        description="The stamp's own UTC date. A daily point of D is the close of D - 1, up to 2018-01-29 of D.",
    ),
    th.Property("price", th.NumberType),
    th.Property("market_cap", th.NumberType),
    th.Property("total_volume", th.NumberType, description="Trading volume of the 24 hours before the stamp."),
).to_dict()

TOKEN_SCHEMA = th.PropertiesList(
    th.Property("coin_id", th.StringType, required=True, description="CoinGecko id of the coin."),
    # A text, as the Hub's tap has it: models written for it may cut it up.
    th.Property("date", th.StringType, required=True, description="YYYY-MM-DD, the date of the daily point."),
    th.Property("price_usd", th.NumberType),
    th.Property("market_cap_usd", th.NumberType),
    th.Property("total_volume_usd", th.NumberType, description="Trading volume of the 24 hours before the price."),
    th.Property(
        "community_data",
        th.ObjectType(
            th.Property("twitter_followers", th.NumberType),
            th.Property("reddit_average_posts_48h", th.NumberType),
            th.Property("reddit_average_comments_48h", th.NumberType),
            th.Property("reddit_subscribers", th.NumberType),
            th.Property("reddit_accounts_active_48h", th.StringType),
        ),
        description="Null: CoinGecko stopped sending it.",
    ),
    th.Property(
        "public_interest_stats",
        th.ObjectType(th.Property("alexa_rank", th.NumberType)),
        description="Null: CoinGecko stopped sending it.",
    ),
).to_dict()

OHLC_SCHEMA = th.PropertiesList(
    th.Property("coin_id", th.StringType, required=True, description="CoinGecko id of the coin."),
    th.Property("vs_currency", th.StringType, required=True, description="Currency of every price in the row."),
    th.Property("granularity", th.StringType, required=True, description="Length of the candle: 4h or daily."),
    th.Property("stamp", th.DateTimeType, required=True, description="When the candle closed, UTC."),
    th.Property("stamp_date", th.DateType, description="The stamp's own UTC date."),
    th.Property("open", th.NumberType),
    th.Property("high", th.NumberType),
    th.Property("low", th.NumberType),
    th.Property("close", th.NumberType),
).to_dict()

DETAILS_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the coin."),
    _OBSERVED_AT,
    th.Property("symbol", th.StringType),
    th.Property("name", th.StringType),
    th.Property("web_slug", th.StringType),
    th.Property("asset_platform_id", th.StringType, description="Null for a coin with a chain of its own."),
    th.Property("platforms", _OBJECT, description="Contract address by platform."),
    th.Property("detail_platforms", _OBJECT, description="Contract address and decimals by platform."),
    th.Property("block_time_in_minutes", th.NumberType),
    th.Property("hashing_algorithm", th.StringType),
    th.Property("categories", _LIST),
    th.Property("preview_listing", th.BooleanType),
    th.Property("public_notice", th.StringType),
    th.Property("additional_notices", _LIST),
    th.Property("has_supply_breakdown", th.BooleanType),
    th.Property("description", _OBJECT, description="Text by language."),
    th.Property("links", _OBJECT),
    th.Property("image", _OBJECT),
    th.Property("country_origin", th.StringType),
    th.Property("genesis_date", th.StringType, description="YYYY-MM-DD, as the source writes it."),
    th.Property("sentiment_votes_up_percentage", th.NumberType),
    th.Property("sentiment_votes_down_percentage", th.NumberType),
    th.Property("ico_data", _OBJECT),
    th.Property("watchlist_portfolio_users", th.IntegerType),
    th.Property("market_cap_rank", th.IntegerType),
    th.Property("market_cap_rank_with_rehypothecated", th.IntegerType),
    th.Property("market_data", _OBJECT, description="Prices, supplies and changes; amounts by currency."),
    th.Property("status_updates", _LIST),
    th.Property("last_updated", th.DateTimeType),
    _EXTRA,
).to_dict()

COINS_LIST_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the coin."),
    _OBSERVED_AT,
    th.Property("symbol", th.StringType, description="Not unique."),
    th.Property("name", th.StringType),
    th.Property("platforms", _OBJECT, description="Contract address by platform."),
    _EXTRA,
).to_dict()

ASSET_PLATFORMS_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the platform."),
    _OBSERVED_AT,
    th.Property("chain_identifier", th.IntegerType, description="The chain's own number (EIP-155), if it has one."),
    th.Property("name", th.StringType),
    th.Property("shortname", th.StringType),
    th.Property("native_coin_id", th.StringType),
    th.Property("image", _OBJECT),
    _EXTRA,
).to_dict()

EXCHANGE_RATES_SCHEMA = th.PropertiesList(
    th.Property("currency", th.StringType, required=True, description="Code of the currency, such as usd."),
    _OBSERVED_AT,
    th.Property("name", th.StringType),
    th.Property("unit", th.StringType),
    th.Property("value", th.NumberType, description="Units of the currency for one bitcoin."),
    th.Property("type", th.StringType, description="crypto, fiat or commodity."),
    _EXTRA,
).to_dict()

GLOBAL_SCHEMA = th.PropertiesList(
    _OBSERVED_AT,
    th.Property("active_cryptocurrencies", th.IntegerType),
    th.Property("upcoming_icos", th.IntegerType),
    th.Property("ongoing_icos", th.IntegerType),
    th.Property("ended_icos", th.IntegerType),
    th.Property("markets", th.IntegerType),
    th.Property("total_market_cap", _OBJECT, description="By currency."),
    th.Property("total_volume", _OBJECT, description="Of the 24 hours before, by currency."),
    th.Property("market_cap_percentage", _OBJECT, description="Share in percent, by symbol of the largest coins."),
    th.Property("market_cap_change_percentage_24h_usd", th.NumberType),
    th.Property("volume_change_percentage_24h_usd", th.NumberType),
    th.Property("updated_at", th.DateTimeType, description="When the source computed this."),
    _EXTRA,
).to_dict()

TRENDING_SCHEMA = th.PropertiesList(
    _OBSERVED_AT,
    th.Property("kind", th.StringType, required=True, description="coins, nfts or categories."),
    th.Property("position", th.IntegerType, required=True, description="Place in the list, from 0."),
    th.Property("id", th.StringType),
    th.Property("name", th.StringType),
    th.Property("symbol", th.StringType),
    th.Property("slug", th.StringType),
    th.Property("market_cap_rank", th.IntegerType),
    th.Property("price_btc", th.NumberType),
    th.Property("item", _OBJECT, description="All of it, as it came; it differs by kind and over time."),
).to_dict()

CATEGORIES_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the category."),
    _OBSERVED_AT,
    th.Property("name", th.StringType),
    th.Property("market_cap", th.NumberType, description="In US dollars."),
    th.Property("market_cap_change_24h", th.NumberType, description="In percent."),
    th.Property("content", th.StringType),
    th.Property("top_3_coins_id", _LIST),
    th.Property("top_3_coins", _LIST, description="Addresses of their pictures."),
    th.Property("volume_24h", th.NumberType, description="In US dollars."),
    th.Property("updated_at", th.DateTimeType, description="When the source computed this."),
    _EXTRA,
).to_dict()


class MisfitError(ValueError):
    """A value of the source does not fit its column; the text names the field and what it is not, never the value."""


def shaped(row: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a row into the form of its schema without losing anything.

    Every column is there, null where the row lacks it; keys without a column lie in `extra`, where the schema has one.

    Raises:
        MisfitError: If a value does not fit its column.
    """
    columns = schema["properties"]
    shape = {name: _as_whole(row.get(name), column) for name, column in columns.items()}
    if EXTRA in columns:
        shape[EXTRA] = {name: value for name, value in row.items() if name not in columns or name == EXTRA} or None
    for name, column in columns.items():
        if (found := _misfit(shape[name], column)) is not None:
            path, wanted = found
            raise MisfitError(f"{name}{path} is {wanted}")
    return shape


def _as_whole(value: Any, column: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Write 1.0 as 1 where the column is an integer."""
    is_whole = "integer" in column["type"] and isinstance(value, Decimal) and value == value.to_integral_value()
    return int(value) if is_whole else value


def _misfit(value: Any, column: Mapping[str, Any]) -> tuple[str, str] | None:  # noqa: ANN401 - JSON
    """Find the first part of a value that does not fit: the path to it, and what it is not; None if all fit."""
    types = column.get("type", _ANY)
    if not any(_JUDGES[name](value) for name in ([types] if isinstance(types, str) else types)):
        wanted = types if isinstance(types, str) else types[0]
        return "", "missing" if value is None else f"no {_WORDS[wanted]}"
    if isinstance(value, str) and column.get("format") in _READERS and not _is_read(value, _READERS[column["format"]]):
        return "", "no time"
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    known = column.get("properties", {})
    for name, part in parts:
        if (found := _misfit(part, known.get(name, {}))) is not None:
            return f".{name}{found[0]}", found[1]
    return None


def _is_read(text: str, read: Callable[[str], object]) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


#: How loaders read them.
_READERS: Mapping[str, Callable[[str], object]] = {"date-time": datetime.fromisoformat, "date": date.fromisoformat}
#: PostgreSQL's greatest whole number in a column of integers, and one more.
_TOO_GREAT = 2**63
_JUDGES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int and -_TOO_GREAT <= value < _TOO_GREAT,
    # A float is NaN or Infinity here: every other number was read exactly.
    "number": lambda value: type(value) is int or isinstance(value, Decimal),
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
_WORDS: Mapping[str, str] = {
    "boolean": "true or false",
    "integer": "whole number of 64 bits",
    "number": "number",
    "string": "text",
    "object": "object",
    "array": "list",
}
#: What a value may be whose type the schema leaves open.
_ANY = ["number", "string", "object", "array", "boolean", "null"]
