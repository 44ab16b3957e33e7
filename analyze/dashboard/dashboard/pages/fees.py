"""What a transaction costs, who gets it, and how much is burned."""

from collections.abc import Iterator

from dashboard.charts import (
    BANDS,
    Figure,
    Series,
    bars,
    day_bands,
    days,
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

MEDIAN = Series("fee_median_usd", "usd")
TOTAL = Series("fee_total_usd", "usd", "fee_total_base_text")
BURNED = Series("burned_usd", "usd", "burned_base_text")
TIPS = Series("tip_usd", "usd")
# Each pair of percentiles with the colour between them, outer first.
RIBBONS = (
    (Series("fee_p10_usd", "usd"), Series("fee_p90_usd", "usd"), "10th to 90th percentile", "var(--ribbon)"),
    (Series("fee_p25_usd", "usd"), Series("fee_p75_usd", "usd"), "25th to 75th percentile", "var(--ribbon-inner)"),
)


def ribbon(rows: list[Row]) -> Iterator[dict[str, object]]:
    """Percentiles as areas, from the outer pair to the inner one."""
    for low, high, name, colour in RIBBONS:
        for series, fill in ((low, {}), (high, {"fill": "tonexty", "fillcolor": colour, "name": name})):
            yield {
                "type": "scatter",
                "mode": "lines",
                "x": days(rows),
                "y": numbers(rows, series.column),
                "customdata": hovers(rows, series),
                "hovertemplate": "%{customdata}",
                "line": {"width": 0.5, "color": "var(--c6)"},
                "name": series.column.removeprefix("fee_").removesuffix("_usd"),
                "showlegend": bool(fill),
                **fill,
            }


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """Percentiles of each coin's fees, all fees, and what is burned."""
    rows = found["days"]
    for name, _, part in parts(rows, view):
        title = f"{name}: fee of a transaction, percentiles of the day, USD (log, without 0)"
        yield Figure(
            f"percentiles-{part[0]['coin']}",
            title,
            told(title, part, MEDIAN),
            [*day_bands(part), *ribbon(part), line(part, MEDIAN, "median", "var(--c6)")],
            {**BANDS, "yaxis": {"type": "log", "tickprefix": "$"}},
            "days",
        )
    title = "Fees a day, USD (log)"
    yield Figure(
        "total",
        title,
        told(title, rows, TOTAL),
        of_each_coin(rows, view, TOTAL, line),
        {"yaxis": {"type": "log", "tickprefix": "$", "exponentformat": "B"}},
        "days",
    )
    for name, _, part in parts([row for row in rows if row["burned_usd"] is not None], view):
        title = f"{name}: fees burned, and tips that block makers keep, USD"
        yield Figure(
            f"burned-{part[0]['coin']}",
            title,
            told(title, part, BURNED),
            [bars(part, BURNED, "burned", "var(--c1)"), bars(part, TIPS, "tips", "var(--c3)")],
            {"barmode": "stack", "yaxis": {"tickprefix": "$", "exponentformat": "B"}},
            "days",
        )


PAGE = Page(
    name="fees",
    title="Fees",
    question="What does a transaction cost, who gets it, how much is burned?",
    datasets=("headline", "days"),
    headline=(
        Column("Fees USD", "Fees", "usd"),
        Column("Fee per Transaction USD", "Fee of a transaction, mean", "usd"),
        Column("Median Fee USD", "Fee of a transaction, median", "usd"),
        Column("Fee Share of Revenue", "Fees in what miners earn", "ratio"),
    ),
    draw=draw,
    tables=(
        Table(
            "days",
            "Days",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("fee_total_usd", "Fees, USD", "usd"),
                Column("fee_total_base_text", "Fees, base units", "base"),
                Column("fee_p10_usd", "10th percentile, USD", "usd"),
                Column("fee_median_usd", "Median, USD", "usd"),
                Column("fee_p90_usd", "90th percentile, USD", "usd"),
                Column("fee_rate_weighted_p50", "Fee rate, median (sat/vB, koinu/B, gwei/gas)", "number"),
                Column("zero_fee_count", "Without a fee", "count"),
                Column("burned_base_text", "Burned, base units", "base"),
                Column("day_status", "State"),
            ),
            newest_first=True,
        ),
    ),
)
