"""Schemas of the streams. Every amount is a number, whatever it looks like today; only ranks are integers."""

from __future__ import annotations

from singer_sdk import typing as th

MARKETS_SCHEMA = th.PropertiesList(
    th.Property("id", th.StringType, required=True, description="CoinGecko id of the coin."),
    th.Property("vs_currency", th.StringType, required=True, description="Currency of every amount in the row."),
    th.Property("observed_at", th.DateTimeType, required=True, description="The source's clock when it answered."),
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
        ),
        description="Return since the coin's sale, if it had one.",
    ),
    th.Property("last_updated", th.DateTimeType),
).to_dict()

CHART_SCHEMA = th.PropertiesList(
    th.Property("coin_id", th.StringType, required=True, description="CoinGecko id of the coin."),
    th.Property("vs_currency", th.StringType, required=True, description="Currency of every amount in the row."),
    th.Property("granularity", th.StringType, required=True, description="daily."),
    th.Property("stamp", th.DateTimeType, required=True, description="The exact stamp, to the millisecond, UTC."),
    th.Property(
        "stamp_date",
        th.DateType,
        description="The stamp's own UTC date. A point at 00:00 of D is the close of the day before D.",
    ),
    th.Property("price", th.NumberType),
    th.Property("market_cap", th.NumberType),
    th.Property("total_volume", th.NumberType, description="Trading volume of the 24 hours before the stamp."),
).to_dict()
