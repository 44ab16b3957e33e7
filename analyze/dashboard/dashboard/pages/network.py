"""How much each chain is used, by how many, and how well it is secured."""

from collections.abc import Iterator

from dashboard.charts import Figure, Series, line, of_each_coin, parts, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View

TRANSACTIONS = Series("transaction_count", "count")
ADDRESSES = Series("active_address_count", "count")
VALUE = Series("transfer_value_usd", "usd", "transfer_value_base_text")
HASH_RATE = Series("hash_rate", "hashes")
DIFFICULTY = Series("mean_difficulty", "number")


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """Transactions, addresses, value, and what secures the chains."""
    rows = found["days"]
    title = "Transactions of users a day"
    yield Figure(
        "transactions",
        title,
        told(title, rows, TRANSACTIONS),
        of_each_coin(rows, view, TRANSACTIONS, line),
        {"yaxis": {"rangemode": "tozero"}},
        "days",
    )
    title = "Active addresses a day"
    yield Figure(
        "addresses", title, told(title, rows, ADDRESSES), of_each_coin(rows, view, ADDRESSES, line),
        {"yaxis": {"rangemode": "tozero"}}, "days",
    )  # fmt: skip
    title = "Value moved a day, USD (log)"
    yield Figure(
        "value",
        title,
        told(title, rows, VALUE),
        of_each_coin(rows, view, VALUE, line),
        {"yaxis": {"type": "log", "tickprefix": "$", "exponentformat": "B"}},
        "days",
    )
    title = "Hash rate, hashes a second (log), and dashed the mean difficulty (log, right)"
    right = {"yaxis": "y2", "line": {"dash": "dash", "width": 1}}
    yield Figure(
        "security",
        title,
        told(title, rows, HASH_RATE),
        [
            *of_each_coin(rows, view, HASH_RATE, line),
            *(
                line(part, DIFFICULTY, f"{name}, difficulty", colour, **right)
                for name, colour, part in parts(rows, view)
            ),
        ],
        {
            "yaxis": {"type": "log", "tickformat": "~s", "ticksuffix": "H/s"},
            "yaxis2": {"type": "log", "tickformat": "~s", "overlaying": "y", "side": "right", "showgrid": False},
        },
        "days",
    )


PAGE = Page(
    name="network",
    title="Network",
    question="How much is each chain used, by how many, how well is it secured?",
    datasets=("headline", "days"),
    headline=(
        Column("Transactions", "Transactions", "count"),
        Column("Active Addresses", "Active addresses, mean of a day", "count"),
        Column("Transfer Value USD", "Value moved", "usd"),
        Column("Hash Rate", "Hash rate, mean", "hashes"),
    ),
    draw=draw,
    tables=(
        Table(
            "days",
            "Days",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("block_count", "Blocks", "count"),
                Column("transaction_count", "Transactions", "count"),
                Column("active_address_count", "Active addresses", "count"),
                Column("new_address_count", "New addresses", "count"),
                Column("transfer_value_usd", "Value moved, USD", "usd"),
                Column("transfer_value_base_text", "Value moved, base units", "base"),
                Column("hash_rate", "Hash rate", "hashes"),
                Column("mean_difficulty", "Mean difficulty", "number"),
                Column("utilisation", "Utilisation", "ratio"),
                Column("nvt", "NVT", "number"),
                Column("day_status", "State"),
            ),
            newest_first=True,
        ),
    ),
)
