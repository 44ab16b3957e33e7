"""Who makes the blocks, what they are paid, and how concentrated it is."""

from collections.abc import Iterator

from dashboard.charts import Figure, Series, line, of_each_coin, parts, safe, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.units import exact
from dashboard.view import View

HHI = Series("hhi", "number")
NAKAMOTO = Series("nakamoto_coefficient", "count")
UNKNOWN_SHARE = Series("unknown_share_ratio", "ratio")
HASH_PRICE = Series("hash_price_usd", "usd")

# Ethereum's miners are called by their addresses.
_LONGEST_NAME = 24


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """A treemap of each coin's miners, and concentration by day."""
    for name, _, part in parts(found["shares"], view):
        title = f"{name}: blocks by miner"
        largest = part[0]
        summary = (
            f"{title}. {len(part)} miners; the largest is {largest['miner']} with"
            f" {exact('count', largest['Blocks Mined'])} blocks, {exact('ratio', largest['Block Share'])} of all."
        )
        tiles = {
            "type": "treemap",
            "labels": [safe(row["miner"]) for row in part],
            "parents": ["" for _ in part],
            "values": [row["Blocks Mined"] for row in part],
            "customdata": [
                f"{exact('count', row['Blocks Mined'])} blocks, {exact('ratio', row['Block Share'])},"
                f" {exact('usd', row['Revenue USD'])}"
                for row in part
            ],
            "hovertemplate": "%{label}<br>%{customdata}<extra></extra>",
            "text": [safe(_brief(row["miner"])) for row in part],
            "texttemplate": "%{text}<br>%{value} blocks",
            "textfont": {"color": "#ffffff"},
            "marker": {"colors": [f"var(--tile{number})" for number in (1, 2, 3, 4, 5, 6)], "cornerradius": 3},
            "tiling": {"pad": 2},
            "pathbar": {"visible": False},
        }
        yield Figure(
            f"miners-{largest['coin']}", title, summary, [tiles], {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}}, "shares"
        )
    rows = found["days"]
    title = "Concentration by day: Herfindahl-Hirschman index, 0 to 1"
    yield Figure(
        "hhi",
        title,
        told(title, rows, HHI),
        of_each_coin(rows, view, HHI, line),
        {"yaxis": {"rangemode": "tozero"}},
        "days",
    )
    title = "Nakamoto coefficient: miners who together made more than half of a day's blocks"
    yield Figure(
        "nakamoto", title, told(title, rows, NAKAMOTO), of_each_coin(rows, view, NAKAMOTO, line),
        {"yaxis": {"rangemode": "tozero", "dtick": 1}}, "days",
    )  # fmt: skip
    title = "Share of blocks whose miner is unknown"
    yield Figure(
        "unknown", title, told(title, rows, UNKNOWN_SHARE), of_each_coin(rows, view, UNKNOWN_SHARE, line),
        {"yaxis": {"rangemode": "tozero", "tickformat": ".0%"}}, "days",
    )  # fmt: skip
    title = "Hash price: revenue in USD for a terahash a second and day (log)"
    yield Figure(
        "hash-price", title, told(title, rows, HASH_PRICE), of_each_coin(rows, view, HASH_PRICE, line),
        {"yaxis": {"type": "log", "tickprefix": "$"}}, "days",
    )  # fmt: skip


def _brief(name: str) -> str:
    """A miner's name, cut where it is an address."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:8]}…"


PAGE = Page(
    name="miners",
    title="Miners",
    question="Who makes the blocks, what are they paid, how concentrated is it?",
    datasets=("headline", "days", "shares"),
    headline=(
        Column("Blocks Mined", "Blocks", "count"),
        Column("Revenue USD", "Revenue", "usd"),
        Column("Revenue per Block USD", "Revenue of a block", "usd"),
        Column("Nakamoto Coefficient", "Nakamoto coefficient, last day", "count"),
    ),
    draw=draw,
    tables=(
        Table(
            "shares",
            "Miners",
            (
                Column("asset_name", "Coin"),
                Column("miner", "Miner"),
                Column("Blocks Mined", "Blocks", "count"),
                Column("Block Share", "Share", "ratio"),
                Column("Revenue USD", "Revenue, USD", "usd"),
            ),
            "Names are what miners write into their blocks: import the CSV's column as text.",
        ),
    ),
)
