"""What is verified, what could not be, what failed, day by day."""

from collections.abc import Iterator

from dashboard.calendar import calendars
from dashboard.charts import Figure, Series, bars, parts, told
from dashboard.page import Column, Datasets, Page, Table
from dashboard.view import View

OUTCOMES = (
    (Series("verified_count", "count"), "verified", "var(--state-verified)"),
    (Series("unverifiable_count", "count"), "could not be done", "var(--state-unverifiable)"),
    (Series("failed_count", "count"), "failed", "var(--state-failed)"),
)


def draw(found: Datasets, view: View) -> Iterator[Figure]:
    """A calendar of each chain's days, and the outcomes of checks by day."""
    rows = found["calendar"]
    yield from calendars(rows, view, "calendar")
    for name, _, part in parts(rows, view):
        title = f"{name}: outcomes of all checks a day"
        yield Figure(
            f"outcomes-{part[0]['coin']}",
            title,
            told(title, part, OUTCOMES[0][0]),
            [bars(part, series, words, colour) for series, words, colour in OUTCOMES],
            {"barmode": "stack"},
            "calendar",
        )


PAGE = Page(
    name="quality",
    title="Data quality",
    question="What is verified, what could not be, what failed, day by day?",
    datasets=("headline", "calendar", "checks", "questions"),
    headline=(
        Column("Verified", "Checks that passed", "count"),
        Column("Unverifiable", "Could not be done", "count"),
        Column("Failed", "Failed", "count"),
        Column("Days with a Failure", "Days with a failure", "rows"),
    ),
    draw=draw,
    tables=(
        Table(
            "questions",
            "Days with checks that failed or could not be done",
            (
                Column("day", "Day", "day"),
                Column("asset_name", "Coin"),
                Column("title", "Check"),
                Column("failed_count", "Failed", "count"),
                Column("unverifiable_count", "Could not be done", "count"),
                Column("failed_heights", "Heights that failed"),
                Column("reasons", "Reasons"),
            ),
        ),
        Table(
            "checks",
            "Checks",
            (
                Column("asset_name", "Coin"),
                Column("check_group", "Group"),
                Column("title", "Check"),
                Column("severity", "Severity"),
                Column("Verified", "Verified", "count"),
                Column("Unverifiable", "Could not be done", "count"),
                Column("Failed", "Failed", "count"),
                Column("covers", "Covers"),
            ),
        ),
    ),
)
