"""How old the coins are, what they cost, and who sells at a profit."""

from collections.abc import Iterator

from dashboard.charts import (
    BANDS,
    Figure,
    Series,
    day_bands,
    days,
    grouped,
    hovers,
    line,
    numbers,
    of_each_coin,
    parts,
    told,
)
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View
from dashboard.warehouse import Row

SHARE = Series("supply_share", "ratio", "counted_supply_base_text")
MVRV, MVRV_KNOWN = Series("mvrv", "number"), Series("mvrv_known", "number")
MARKET, REALISED = Series("market_cap_usd", "usd"), Series("realised_cap_usd", "usd")
REALISED_KNOWN = Series("realised_cap_known_usd", "usd")
SOPR = Series("sopr_known", "number", "spent_base_text")
# Where analysts draw the bands: below 1 coins are worth less than they cost; above 3.7 past cycles turned.
MVRV_BANDS = ((0, 1, "var(--band-low)", "below cost"), (3.7, 5, "var(--band-high)", "above 3.7"))


def mvrv_layout() -> dict[str, object]:
    """The bands behind MVRV, and the line at cost."""
    shapes = [
        {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high, "fillcolor": colour,
         "line": {"width": 0}, "layer": "below"}
        for low, high, colour, _ in MVRV_BANDS
    ]  # fmt: skip
    cost = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 1,
        "y1": 1,
        "line": {"dash": "dot", "width": 1, "color": "var(--text)"},
    }
    return {"shapes": [*shapes, cost], "yaxis": {"rangemode": "tozero", "range": [0, None]}}


def waves(rows: list[Row]) -> list[dict[str, object]]:
    """A coin's supply by age, the youngest band first."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "age",
            "name": band,
            "x": days(wave),
            "y": numbers(wave, "supply_share"),
            "customdata": hovers(wave, SHARE),
            "hovertemplate": "%{customdata}",
            "line": {"width": 0.5, "color": f"var(--age{number})"},
            "fillcolor": f"var(--age{number})",
        }
        for number, (band, wave) in enumerate(grouped(rows, "age_band").items(), start=1)
    ]


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """HODL waves, MVRV with its bands, capitalisations, and what is spent at a profit."""
    rows = found["days"]
    states = {name: part for name, _, part in parts(rows, view)}
    for name, _, part in parts(found["bands"], view):
        title = f"{name}: supply by age of the coins (HODL waves), youngest below"
        yield Figure(
            f"age-{part[0]['coin']}",
            title,
            told(title, part, SHARE, "age_band"),
            [*waves(part), *day_bands(states.get(name, []))],
            {**BANDS, "yaxis": {"tickformat": ".0%", "range": [0, 1]}},
            "bands",
            is_tall=True,
        )
    title = (
        "MVRV: market over realised capitalisation; dotted over the coins of known cost; bands below 1 and above 3.7"
    )
    dotted = {"line": {"dash": "dot", "width": 1}}
    yield Figure(
        "mvrv",
        title,
        told(title, rows, MVRV_KNOWN),
        [
            *of_each_coin(rows, view, MVRV, line),
            *(line(part, MVRV_KNOWN, f"{name}, known", colour, **dotted) for name, colour, part in parts(rows, view)),
        ],
        mvrv_layout(),
        "days",
    )
    title = "SOPR: what spent coins were worth over what they had cost, of those of known cost"
    yield Figure("sopr", title, told(title, rows, SOPR), of_each_coin(rows, view, SOPR, line), {}, "days")
    title = "Capitalisation, USD (log): market; dashed realised; dotted realised of the coins of known cost"
    dashes = ((MARKET, "market", "solid"), (REALISED, "realised", "dash"), (REALISED_KNOWN, "realised, known", "dot"))
    yield Figure(
        "caps",
        title,
        told(title, rows, REALISED_KNOWN),
        [
            line(part, series, f"{name}, {words}", colour, line={"dash": dash})
            for name, colour, part in parts(rows, view)
            for series, words, dash in dashes
        ],
        {"yaxis": {"type": "log", "tickprefix": "$", "exponentformat": "B"}},
        "days",
        is_tall=True,
    )


PAGE = Page(
    name="supply",
    title="Supply and age",
    question="How old are the coins, what did they cost, who sells at a profit?",
    datasets=("headline", "days", "bands"),
    headline=(
        Column("Supply Coins", "Supply, coins", "coins"),
        Column("Realised Cap USD", "Realised capitalisation", "usd"),
        Column("MVRV", "MVRV", "number"),
        Column("MVRV Known", "MVRV, coins of known cost", "number"),
        Column("SOPR", "SOPR over the days", "number"),
        Column("Partial Days", "Days of a truncated history", "rows"),
    ),
    draw=draw,
    tables=(
        Table(
            "days",
            "Days",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("supply_base_text", "Supply, base units", "base"),
                Column("market_cap_usd", "Market capitalisation, USD", "usd"),
                Column("realised_cap_usd", "Realised capitalisation, USD", "usd"),
                Column("mvrv", "MVRV", "number"),
                Column("mvrv_known", "MVRV, known", "number"),
                Column("mvrv_z_score", "MVRV Z-score", "number"),
                Column("nupl", "NUPL", "number"),
                Column("sopr", "SOPR", "number"),
                Column("in_profit_ratio", "Supply in profit", "ratio"),
                Column("coverage_ratio", "Coverage", "ratio"),
                Column("is_partial", "History is truncated"),
                Column("day_status", "State"),
            ),
            newest_first=True,
        ),
        Table(
            "bands",
            "Supply by age",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("age_band", "Age"),
                Column("supply_share", "Share", "ratio"),
                Column("counted_supply_native", "Coins", "coins"),
                Column("counted_supply_base_text", "Base units", "base"),
                Column("is_partial", "History is truncated"),
            ),
            newest_first=True,
        ),
    ),
)
