"""What each coin is worth, what it returned, and at what risk."""

from collections.abc import Iterator

from dashboard.charts import Figure, Series, bars, line, of_each_coin, parts, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View

CLOSE = Series("close_price_usd", "usd")
DRAWDOWN = Series("drawdown_ratio", "ratio")
VOLATILITY = Series("volatility_annualised", "ratio")
VOLUME = Series("volume_24h_usd", "usd")


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """Prices with the drawdown under them, volatility, and volume."""
    rows = found["days"]
    under = {"yaxis": "y2", "showlegend": False, "fill": "tozeroy", "line": {"width": 1}}
    title = "Close in USD (log), and below it the drawdown from the highest close of 30 days"
    yield Figure(
        "price",
        title,
        told(title, rows, CLOSE),
        [
            *of_each_coin(rows, view, CLOSE, line),
            *(line(part, DRAWDOWN, f"{name}, drawdown", colour, **under) for name, colour, part in parts(rows, view)),
        ],
        {
            "xaxis": {"anchor": "y2"},
            "yaxis": {"type": "log", "domain": [0.34, 1], "tickprefix": "$", "exponentformat": "B"},
            "yaxis2": {"domain": [0, 0.27], "tickformat": ".0%"},
        },
        "days",
        is_tall=True,
    )
    title = "Volatility of 30 days, annualised"
    yield Figure(
        "volatility",
        title,
        told(title, rows, VOLATILITY),
        of_each_coin(rows, view, VOLATILITY, line),
        {"yaxis": {"tickformat": ".0%", "rangemode": "tozero"}},
        "days",
    )
    title = "Trading volume of 24 hours, USD"
    yield Figure(
        "volume",
        title,
        told(title, rows, VOLUME),
        of_each_coin(rows, view, VOLUME, bars),
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
        Column("Last Close Day", "Last close", "day"),
    ),
    draw=draw,
    tables=(
        Table(
            "days",
            "Days",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("close_price_usd", "Close, USD", "usd"),
                Column("return_ratio", "Return", "ratio"),
                Column("coingecko_market_cap_usd", "Market capitalisation, USD", "usd"),
                Column("volume_24h_usd", "Volume of 24 hours, USD", "usd"),
                Column("volatility_annualised", "Volatility of 30 days, annualised", "ratio"),
                Column("drawdown_ratio", "Drawdown of 30 days", "ratio"),
                Column("day_status", "Close"),
            ),
            newest_first=True,
        ),
    ),
    needs_chain=False,
    credit="Price data by CoinGecko.",
)
