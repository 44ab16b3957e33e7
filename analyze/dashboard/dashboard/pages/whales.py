"""Who moved much at once, and who holds most."""

from collections.abc import Iterator

from dashboard.charts import Figure, Series, bars, of_each_coin, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View

VALUE = Series("value_usd", "usd", "value_base_text")
COUNT = Series("transfer_count", "count")


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """Value and number of large transfers by day."""
    rows = found["days"]
    title = "Value of transfers of $100,000 and more a day, USD"
    yield Figure(
        "value", title, told(title, rows, VALUE), of_each_coin(rows, view, VALUE, bars),
        {"barmode": "stack", "yaxis": {"tickprefix": "$", "exponentformat": "B"}}, "days",
    )  # fmt: skip
    title = "Number of them a day"
    yield Figure(
        "count", title, told(title, rows, COUNT), of_each_coin(rows, view, COUNT, bars), {"barmode": "stack"}, "days"
    )


PAGE = Page(
    name="whales",
    title="Whales",
    question="Who moved much at once, who holds most?",
    datasets=("headline", "days", "largest", "holders"),
    headline=(
        Column("Whale Transfers Count", "Large transfers", "count"),
        Column("Whale Value USD", "Their value", "usd"),
        Column("Largest Transfer USD", "The largest", "usd"),
    ),
    draw=draw,
    tables=(
        Table(
            "largest",
            "Largest transfers of the last day",
            (
                Column("block_time", "Time, UTC", "day"),
                Column("asset_name", "Coin"),
                Column("value_usd", "Value, USD", "usd"),
                Column("value_native", "Coins", "coins"),
                Column("value_base_text", "Base units", "base"),
                Column("sender_count", "Senders", "count"),
                Column("recipient_count", "Recipients", "count"),
                Column("transaction_hash", "Transaction"),
            ),
            is_open=True,
        ),
        Table(
            "holders",
            "Largest balances of the last snapshot",
            (
                Column("observed_date", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("balance_rank", "Rank", "count"),
                Column("address", "Address"),
                Column("balance_native", "Coins", "coins"),
                Column("balance_base_text", "Base units", "base"),
                Column("balance_usd", "USD", "usd"),
            ),
        ),
    ),
)
