"""What each coin is worth, what it returned, and at what risk."""

from collections.abc import Iterator

from dashboard.charts import Figure, Series, bars, colour_of, grouped, line, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View

CLOSE = Series("close_price_usd", "usd")
DRAWDOWN = Series("drawdown_ratio", "ratio")
VOLATILITY = Series("volatility_annualised", "ratio")
VOLUME = Series("volume_24h_usd", "usd")


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """Prices with the drawdown under them, volatility, and volume."""
    rows = found["days"]
    coins = {(name, colour_of(view, name)): part for name, part in grouped(rows, "asset_name").items()}
    under = {"yaxis": "y2", "showlegend": False, "fill": "tozeroy", "line": {"width": 1}}
    title = "Close in USD (log), and below it the drawdown from the highest close of 30 days"
    yield Figure(
        "price",
        title,
        told(title, rows, CLOSE),
        [line(part, CLOSE, *coin) for coin, part in coins.items()]
        + [line(part, DRAWDOWN, f"{name}, drawdown", colour, **under) for (name, colour), part in coins.items()],
        {
            "xaxis": {"anchor": "y2"},
            "yaxis": {"type": "log", "domain": [0.34, 1], "tickprefix": "$", "exponentformat": "B"},
            "yaxis2": {"domain": [0, 0.27], "tickformat": ".0%"},
        },
        "days",
        is_tall=True,
    )
    title = "Volatility of 30 days, a year's, as a share"
    yield Figure(
        "volatility",
        title,
        told(title, rows, VOLATILITY),
        [line(part, VOLATILITY, *coin) for coin, part in coins.items()],
        {"yaxis": {"tickformat": ".0%", "rangemode": "tozero"}},
        "days",
    )
    title = "Trading volume of 24 hours, USD"
    yield Figure(
        "volume",
        title,
        told(title, rows, VOLUME),
        [bars(part, VOLUME, *coin) for coin, part in coins.items()],
        {"yaxis": {"tickprefix": "$", "exponentformat": "B"}, "barmode": "stack"},
        "days",
    )


PAGE = Page(
    name="market",
    title="Market",
    question="What is each coin worth, what did it return, at what risk?",
    datasets=("headline", "days"),
    headline=(
        Column("Close Price USD", "Close", "usd"),
        Column("Return", "Return over the days", "ratio"),
        Column("Market Cap USD", "Market capitalisation", "usd"),
        Column("Trading Volume USD", "Volume over the days", "usd"),
        Column("close_date", "Last close", "day"),
    ),
    draw=draw,
    tables=(
        Table(
            "days",
            "Days",
            (
                Column("day", "Day"),
                Column("asset_name", "Coin"),
                Column("close_price_usd", "Close, USD", "usd"),
                Column("return_ratio", "Return", "ratio"),
                Column("coingecko_market_cap_usd", "Market capitalisation, USD", "usd"),
                Column("volume_24h_usd", "Volume of 24 hours, USD", "usd"),
                Column("volatility_annualised", "Volatility of 30 days, a year's", "ratio"),
                Column("drawdown_ratio", "Drawdown of 30 days", "ratio"),
                Column("day_status", "Close"),
            ),
            newest_first=True,
        ),
    ),
    needs_chain=False,
    credit="Price data by CoinGecko.",
)
