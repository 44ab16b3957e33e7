"""Draws days as a calendar: a column for each week, a row for each weekday, a sign and a colour for each state."""

from collections.abc import Iterable, Iterator

from dashboard.charts import Figure, Layout, grouped, parts
from dashboard.view import View
from dashboard.warehouse import Row

# From the best to the worst: the number that is drawn, the sign, and the words.
STATES = {
    "verified": (0, "✓", "verified"),
    "unverifiable": (1, "·", "complete; some checks could not be done"),
    "partial": (2, "/", "partial: rows are missing"),
    "failed": (3, "!", "a check failed"),
    "missing": (4, "", "nothing is loaded"),
}
_WEEKDAYS = ["Sunday", "Saturday", "Friday", "Thursday", "Wednesday", "Tuesday", "Monday"]
# Each number has its fifth of the scale to itself.
_SCALE = [
    [place, f"var(--state-{state})"]
    for state, places in zip(STATES, ((0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1)), strict=True)
    for place in places
]
_LAYOUT: Layout = {
    "hovermode": "closest",
    "yaxis": {"categoryorder": "array", "categoryarray": _WEEKDAYS, "type": "category", "showgrid": False},
    "xaxis": {"type": "category", "showgrid": False, "nticks": 4, "tickangle": 0},
}


def calendars(rows: Iterable[Row], view: View, table: str) -> Iterator[Figure]:
    """A calendar of each coin's days."""
    for name, _, part in parts(rows, view):
        title = f"{name}: state of each day, by week (✓ verified, · not all could be checked, / partial, ! failed)"
        counted = ", ".join(f"{len(found)} {STATES[state][2]}" for state, found in grouped(part, "day_status").items())
        weeks = sorted({row["week_start_date"].isoformat() for row in part})
        cells = {(row["day_name"], row["week_start_date"].isoformat()): row for row in part}
        grid = [[cells.get((weekday, week)) for week in weeks] for weekday in _WEEKDAYS]
        heatmap = {
            "type": "heatmap",
            "x": weeks,
            "y": _WEEKDAYS,
            "z": [[STATES[row["day_status"]][0] if row else None for row in line] for line in grid],
            "text": [[STATES[row["day_status"]][1] if row else "" for row in line] for line in grid],
            "texttemplate": "%{text}",
            "textfont": {"color": "var(--state-text)"},
            "customdata": [
                [f"{row['day']}: {STATES[row['day_status']][2]}" if row else "" for row in line] for line in grid
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
            "hoverongaps": False,
            "zmin": 0,
            "zmax": 4,
            "colorscale": _SCALE,
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
        }
        yield Figure(
            f"calendar-{part[0]['coin']}", title, f"{name}, days by state: {counted}.", [heatmap], _LAYOUT, table
        )
