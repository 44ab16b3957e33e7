"""Charts: what is drawn is what the rows say, and days that are not whole look it."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal

import plotly.graph_objects as go
import pytest

from dashboard.calendar import calendars
from dashboard.charts import Figure, Series, bars, day_bands, keys, line, of_each_coin, told
from dashboard.page import Datasets
from dashboard.pages import PAGES, fees, miners, overview, supply

from .rows import COINS, day, rows, view

FEES = Series("fee", "usd", "fee_base")
DAYS = rows(
    day(0, fee=Decimal("1.5"), fee_base="150000000000000000001"),
    day(1, state="unverifiable", fee=Decimal(2), fee_base="2"),
    day(2, state="partial", fee=Decimal(3), fee_base="3"),
    day(3, state="failed", fee=Decimal(4), fee_base="4"),
    day(4, state="missing", fee=None, fee_base=None),
)


def test_a_line_is_interrupted_and_marks_what_is_not_whole() -> None:
    found = line(DAYS, FEES, "Bitcoin", "red")
    assert found["y"] == [1.5, 2.0, 3.0, 4.0, None]
    assert found["connectgaps"] is False
    assert found["marker"]["size"] == [0, 7, 7, 7, 7]
    assert len(set(found["marker"]["symbol"])) == 5
    assert found["customdata"][0] == "$1.5 = 150000000000000000001 base units"
    assert found["customdata"][2] == "$3 = 3 base units (partial: rows are missing)"
    assert found["customdata"][4] == "unknown (nothing is loaded)"


def test_a_known_day_between_unknown_ones_is_seen() -> None:
    found = line(
        rows(*(day(number, fee=fee, fee_base="1") for number, fee in enumerate((1, None, 3, None)))), FEES, "x", "red"
    )
    assert found["marker"]["size"][::2] == [5, 5]
    joined = line(rows(*(day(number, fee=number, fee_base="1") for number in range(3))), FEES, "x", "red")
    assert joined["marker"]["size"] == [0, 0, 0]


def test_bars_have_a_pattern_where_a_day_is_not_whole() -> None:
    found = bars(DAYS, FEES, "Bitcoin", "red")
    assert found["marker"]["pattern"]["shape"] == ["", ".", "/", "x", "/"]
    assert found["y"][4] is None


def test_behind_an_area_days_that_are_not_whole_are_hatched_or_dotted() -> None:
    bands = {band["name"]: band for band in day_bands(DAYS)}
    assert len(bands) == 4
    partial = bands["partial: rows are missing"]
    assert (partial["x"], partial["y"]) == (["2025-02-01"], [1])
    assert partial["marker"]["pattern"]["shape"] == "/"
    assert day_bands(DAYS[:1]) == []


def test_a_coin_has_its_colour_whichever_are_in_view() -> None:
    all_coins = [day(0, coin, fee=1.0, fee_base="1") for coin in COINS]
    both = of_each_coin(all_coins, view(), FEES, line)
    one = of_each_coin(all_coins[1:], view("dogecoin"), FEES, line)
    assert one[0]["line"]["color"] == both[1]["line"]["color"] != both[0]["line"]["color"]


def test_a_chart_is_told_in_a_sentence() -> None:
    text = told("Fees", [*DAYS, day(0, "dogecoin", fee=None, fee_base=None)], FEES)
    assert text == (
        "Fees. Bitcoin: 4 days to 2025-02-02, last $4.00, 4 days marked as not whole or not fully checked;"
        " Dogecoin: nothing known."
    )


def test_names_of_sources_are_no_markup() -> None:
    found = rows(
        {"coin": "bitcoin", "asset_name": "Bitcoin", "miner": "<a href='javascript:1'>x</a>", "Blocks Mined": 3,
         "Block Share": 0.75, "Revenue USD": Decimal(9)}
    )  # fmt: skip
    figure = next(iter(miners.draw({"shares": found, "days": rows()}, view())))
    assert figure.data[0]["labels"] == ["&lt;a href='javascript:1'&gt;x&lt;/a&gt;"]
    assert "<" not in figure.data[0]["text"][0]


def sample() -> Datasets:
    """All columns that any page draws, of three days."""
    columns = dict.fromkeys(
        [
            *("close_price_usd", "drawdown_ratio", "volatility_annualised", "volume_24h_usd", "transaction_count"),
            *("active_address_count", "transfer_value_usd", "transfer_value_base_text", "hash_rate", "mean_difficulty"),
            *("fee_total_usd", "fee_total_base_text", "fee_p10_usd", "fee_p25_usd", "fee_median_usd", "fee_p75_usd"),
            *("fee_p90_usd", "burned_usd", "burned_base_text", "tip_usd", "mvrv", "mvrv_known", "market_cap_usd"),
            *("realised_cap_usd", "realised_cap_known_usd", "sopr_known", "spent_base_text", "hhi", "supply_share"),
            *("counted_supply_base_text", "nakamoto_coefficient", "unknown_share_ratio", "hash_price_usd"),
            *("value_usd", "value_base_text", "transfer_count", "verified_count", "unverifiable_count", "failed_count"),
        ],
        2.5,
    )
    more = {"week_start_date": dt.date(2025, 1, 27), "day_name": "Friday", "age_band": "under 1 day"}
    days = rows(*(day(number, coin, **columns, **more) for number in range(3) for coin in COINS))
    shares = rows(
        {
            "coin": "bitcoin",
            "asset_name": "Bitcoin",
            "miner": "Pool",
            "Blocks Mined": 3,
            "Block Share": 1.0,
            "Revenue USD": 9,
        }
    )
    changes = rows(
        day(0, figure_name="mvrv", figure_unit="number", figure_value=1.5, day_before_value=1.0, change_ratio=0.5)
    )
    return {"days": days, "bands": days, "shares": shares, "calendar": days, "changes": changes}


def figures() -> Iterator[tuple[str, Figure]]:
    for page in PAGES:
        for figure in page.draw(sample(), view()):
            yield f"{page.name}-{figure.name}", figure


@pytest.mark.parametrize(("name", "figure"), [pytest.param(name, figure, id=name) for name, figure in figures()])
def test_a_figure_is_what_plotly_takes(name: str, figure: Figure) -> None:
    # colours are named until the browser knows the theme
    text = json.dumps({"data": figure.data, "layout": figure.layout})
    plain = json.loads(text.replace("var(--", "#888888;").replace(";c", ";"))

    def coloured(value: object) -> object:
        if isinstance(value, str) and value.startswith("#888888"):
            return "#888888"
        if isinstance(value, list):
            return [coloured(one) for one in value]
        return {key: coloured(one) for key, one in value.items()} if isinstance(value, dict) else value

    go.Figure(coloured(plain))
    assert figure.summary.endswith("%.") or re_sentence(figure.summary)


def re_sentence(text: str) -> bool:
    """Whether a text says something of a coin and ends as a sentence."""
    return text.endswith(".") and any(name in text for name in COINS.values())


def test_what_experts_expect_is_drawn() -> None:
    found = dict(figures())
    waves = found["supply-age-bitcoin"].data
    assert [trace.get("stackgroup") for trace in waves if trace["type"] == "scatter"] == ["age"]
    assert {shape["type"] for shape in found["supply-mvrv"].layout["shapes"]} == {"rect", "line"}
    ribbons = [trace for trace in found["fees-percentiles-bitcoin"].data if trace.get("fill") == "tonexty"]
    assert [trace["name"] for trace in ribbons] == ["10th to 90th percentile", "25th to 75th percentile"]
    security = found["network-security"].layout
    assert (security["yaxis"]["type"], security["yaxis2"]["type"]) == ("log", "log")
    assert found["market-price"].data[2]["yaxis"] == "y2"
    assert found["miners-miners-bitcoin"].data[0]["type"] == "treemap"
    assert found["overview-calendar-bitcoin"].data[0]["type"] == "heatmap"
    assert {page.PAGE.name for page in (fees, supply, overview)} <= {page.name for page in PAGES}


def test_a_calendar_has_a_sign_for_each_state() -> None:
    states = dict(
        zip(
            ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
            ("verified", "unverifiable", "partial", "failed", "missing"),
            strict=True,
        )
    )
    found = rows(
        *(
            day(number, state=state, week_start_date=dt.date(2025, 1, 27), day_name=name)
            for number, (name, state) in enumerate(states.items())
        )
    )
    (figure,) = calendars(found, view(), "calendar")
    drawn = dict(zip(figure.data[0]["y"], figure.data[0]["z"], strict=True))
    assert drawn == {
        "Monday": [0],
        "Tuesday": [1],
        "Wednesday": [2],
        "Thursday": [3],
        "Friday": [4],
        "Saturday": [None],
        "Sunday": [None],
    }
    assert len({text for (text,) in figure.data[0]["text"]}) == 5
    assert "1 verified, 1 complete; some checks could not be done, 1 partial" in figure.summary


def test_a_legend_has_each_thing_that_is_drawn() -> None:
    found = dict(figures())
    names = [key.name for key in keys(found["fees-percentiles-bitcoin"])]
    assert names == ["10th to 90th percentile", "25th to 75th percentile", "median"]
    assert {key.name: key.look for key in keys(found["network-security"])} == {
        "Bitcoin": "line",
        "Dogecoin": "line",
        "Bitcoin, difficulty": "dash",
        "Dogecoin, difficulty": "dash",
    }
    bands = Figure("x", "x", "x", [*day_bands(DAYS), *of_each_coin(DAYS, view(), FEES, bars)], {}, "days")
    assert [key.look for key in keys(bands)] == ["dots", "hatch", "hatch", "hatch", "area"]
