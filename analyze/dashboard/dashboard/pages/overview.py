"""In one look: is the warehouse complete and verified up to when, what did each coin do, what changed most."""

from collections.abc import Iterator

from dashboard.calendar import calendars
from dashboard.charts import Figure, safe
from dashboard.page import Column, Datasets, Page, Table
from dashboard.units import exact, short
from dashboard.view import View

# How many of the changes are drawn.
_LARGEST = 10


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """The largest changes, and a calendar of each chain's days."""
    changes = list(found["changes"][:_LARGEST])
    if changes:
        title = "What changed most from one day to the next"
        first = changes[0]
        yield Figure(
            "changes",
            title,
            f"{title}. Most: {_called(first)} of {first['asset_name']}, {exact('ratio', first['change_ratio'])}.",
            [
                {
                    "type": "bar",
                    "orientation": "h",
                    "x": [row["change_ratio"] for row in changes],
                    # the value stands with the name, since a bar may be too short for it
                    "y": [
                        f"{safe(row['asset_name'])}, {safe(_called(row))}<br>{exact('ratio', row['change_ratio'])}"
                        for row in changes
                    ],
                    "customdata": [
                        f"{row['day']}: {short(row['figure_unit'], row['figure_value'])},"
                        f" the day before {short(row['figure_unit'], row['day_before_value'])}"
                        for row in changes
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                    "marker": {"color": ["var(--up)" if row["change_ratio"] > 0 else "var(--down)" for row in changes]},
                }
            ],
            {
                "hovermode": "closest",
                "margin": {"l": 0, "r": 8, "t": 8, "b": 8},
                "xaxis": {"type": "linear", "showticklabels": False, "zeroline": True},
                "yaxis": {"autorange": "reversed", "type": "category"},
            },
            "changes",
            is_tall=True,
        )
    yield from calendars(found["calendar"], view, "calendar")


def _called(row: dict[str, object]) -> str:
    """A figure's name in words."""
    name = str(row["figure_name"])
    return _NAMES.get(name, name.replace("_", " "))


_NAMES = {
    "close_price_usd": "close",
    "volume_24h_usd": "trading volume",
    "transaction_count": "transactions",
    "active_address_count": "active addresses",
    "transfer_value_usd": "value moved",
    "fee_total_usd": "fees",
    "fee_median_usd": "median fee",
    "hash_rate": "hash rate",
    "mvrv": "MVRV",
    "spent_value_usd": "value of spent coins",
}

PAGE = Page(
    name="overview",
    title="Overview",
    question="Up to when is all complete and verified, what did each coin do on its last day, what changed most?",
    datasets=("headline", "status", "changes", "calendar"),
    headline=(
        Column("Close Price USD", "Close", "usd"),
        Column("close_change_ratio", "Change of the day", "ratio"),
        Column("close_date", "Day of the close", "day"),
        Column("block_date", "Day of the blocks", "day"),
        Column("Transactions", "Transactions of the day", "count"),
        Column("Fees USD", "Fees of the day", "usd"),
        Column("complete_through_date", "Complete up to", "until"),
        Column("checked_through_date", "No check failed up to", "until"),
    ),
    draw=draw,
    tables=(
        Table(
            "status",
            "Complete and verified up to",
            (
                Column("asset_name", "Coin"),
                Column("first_block_date", "First day", "day"),
                Column("last_block_date", "Last day", "day"),
                Column("complete_through_date", "Complete up to", "until"),
                Column("checked_through_date", "No check failed up to", "until"),
                Column("verified_through_date", "All verified up to", "until"),
                Column("day_count", "Days", "count"),
                Column("verified_day_count", "Verified", "count"),
                Column("unverifiable_day_count", "Not all could be checked", "count"),
                Column("partial_day_count", "Partial", "count"),
                Column("failed_day_count", "Failed", "count"),
                Column("missing_day_count", "Missing", "count"),
                Column("last_close_date", "Last close", "day"),
                Column("missing_close_count", "Closes missing", "count"),
            ),
            is_open=True,
        ),
        Table(
            "changes",
            "Changes of the last day",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("figure_name", "Figure"),
                Column("figure_value", "Value", "number"),
                Column("day_before_value", "The day before", "number"),
                Column("change_ratio", "Change", "ratio"),
            ),
        ),
    ),
    needs_chain=False,
)
