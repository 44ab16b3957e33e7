"""Answers that are changed in one place: the right rows, or a sentence with endpoint, coin and field."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

CHART, TOKEN, OHLC = "coingecko_market_chart", "coingecko_token", "coingecko_ohlc"
MARKETS, DETAILS, LIST = "coingecko_coins_markets", "coingecko_coin_details", "coingecko_coins_list"
RATES, GLOBAL, TRENDING = "coingecko_exchange_rates", "coingecko_global", "coingecko_trending"
PLATFORMS, CATEGORIES = "coingecko_asset_platforms", "coingecko_categories"

DAY = 86_400_000
#: 2026-05-18, whose noon the simulator's clock shows.
TODAY = 1_779_062_400_000
#: The bookmark of an earlier run, from three days before which history is read again.
BEFORE = "2026-05-16T00:00:00.000+00:00"
AFTER = "2026-05-18T00:00:00.000+00:00"
HOSTILE = "\x1b[31m\x9b2J\u202e'; drop table x; --<script>alert(1)</script>{{ 7*7 }}$(id)`id`%s=1+1\r\n\t|*_[x](y)\\"
LONG = "x" * 100_000


def series(first: float) -> list[list[Any]]:
    """Midnights of 2026-05-13 to 18, and a live value."""
    return [*([TODAY - DAY * (5 - i), first + i] for i in range(6)), [TODAY + DAY // 2 - 20_000, 1]]


def chart() -> Any:
    return {"prices": series(13.5), "market_caps": series(1000), "total_volumes": series(500)}


def candles() -> Any:
    """Four hours each; the last one closes at noon, too short a time ago."""
    return [[TODAY + DAY // 2 - DAY // 6 * i, 1.5, 4, 0.5, 2.5] for i in range(12, -1, -1)]


#: Endpoint and good answer.
ANSWERS: dict[str, tuple[str, Callable[[], Any]]] = {
    CHART: ("/coins/bitcoin/market_chart/range", chart),
    TOKEN: ("/coins/bitcoin/market_chart/range", chart),
    OHLC: ("/coins/bitcoin/ohlc", candles),
    MARKETS: (
        "/coins/markets",
        lambda: [{"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "current_price": 1.5, "market_cap_rank": 1}],
    ),
    DETAILS: ("/coins/bitcoin", lambda: {"id": "bitcoin", "name": "Bitcoin", "market_data": {"ath": {"usd": 1}}}),
    LIST: ("/coins/list", lambda: [{"id": "bitcoin", "name": "Bitcoin", "platforms": {}}]),
    RATES: ("/exchange_rates", lambda: {"rates": {"usd": {"name": "US Dollar", "value": 1.5, "type": "fiat"}}}),
    GLOBAL: ("/global", lambda: {"data": {"markets": 2, "total_market_cap": {"usd": 1}, "updated_at": 1779878351}}),
    TRENDING: (
        "/search/trending",
        lambda: {"coins": [{"item": {"id": "bonk", "name": "Bonk"}}], "nfts": [{"id": "x"}], "categories": [{"id": 1}]},
    ),
    PLATFORMS: ("/asset_platforms", lambda: [{"id": "ethereum", "chain_identifier": 1}]),
    CATEGORIES: ("/coins/categories", lambda: [{"id": "layer-1", "top_3_coins": []}]),
}


class Expect(dict[Any, Any]):
    """What is other in the rows than without the change: by day of the month, or by column of the first row."""


RIGHT = Expect()
#: Instead of rows: there are none, and nothing is wrong.
NOTHING = None
NO_JSON = "with HTTP 200: it is in trouble; run again later (it said: the answer is not JSON, or only part of it)"
NO_PRICE = "is no chart: element 3 of prices is no stamp with a number"
NO_CANDLE = "is no list of candles: element 3 is no candle"


def put(value: Any, *path: Any) -> Callable[[Any], Any]:
    """Put a value at a place of the answer, however deep."""

    def change(answer: Any) -> Any:
        part = answer
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value
        return answer

    return change


def price(value: Any) -> Callable[[Any], Any]:
    return put(value, "prices", 3, 1)


def stamp(value: Any) -> Callable[[Any], Any]:
    return put(value, "prices", 3, 0)


def without(*path: Any) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        part = answer
        for name in path[:-1]:
            part = part[name]
        part.pop(path[-1])
        return answer

    return change


def instead(answer: Any) -> Callable[[Any], Any]:
    return lambda _answer: answer


def with_points(*points: Any, at: int = 0) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        answer["prices"][at:at] = points
        return answer

    return change


def backwards(answer: Any) -> Any:
    return {name: values[::-1] for name, values in answer.items()} if isinstance(answer, dict) else answer[::-1]


def hours(answer: Any) -> Any:
    return answer | {"prices": [[TODAY - DAY // 24 * i, 1] for i in range(100)]}


def written(old: str, new: str) -> Callable[[str], str]:
    """Write something that JSON's own writer would not."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


class Text:
    """A change of the written answer."""

    def __init__(self, change: Callable[[str], str], **headers: str) -> None:
        self.change, self.headers = change, headers


def half(text: str) -> str:
    return text[: len(text) // 2]


#: Stream, what is changed, the change, and what comes of it: what is other in the rows, nothing, or words of an error.
CASES: list[tuple[str, str, Any, Expect | str | None]] = [
    (CHART, "a key more", put("", "other"), RIGHT),
    (CHART, "order", backwards, RIGHT),
    (CHART, "a point twice", with_points([TODAY - DAY * 2, 16.5]), RIGHT),
    (CHART, "a point twice, the later one other", with_points([TODAY - DAY * 2, 9.25], at=5), Expect({16: "9.25"})),
    (CHART, "points out of the window", with_points([0, 1], [-(10**12), 1], [TODAY + DAY * 99, 1]), RIGHT),
    (CHART, "a key more, of a hostile name", put([], HOSTILE), RIGHT),
    (CHART, "a value null", price(None), Expect({16: None})),
    (CHART, "a value negative", price(-1.5), Expect({16: "-1.5"})),
    (CHART, "an array missing", without("total_volumes"), RIGHT),
    (CHART, "an array null", put(None, "total_volumes"), RIGHT),
    (CHART, "an array shorter", without("market_caps", 2), RIGHT),
    (CHART, "all arrays empty", instead({"prices": [], "market_caps": [], "total_volumes": []}), NOTHING),
    (CHART, "a great number", Text(written("16.5", "1e400")), Expect({16: "1e400"})),
    (CHART, "a small number", Text(written("16.5", "1e-400")), Expect({16: "1e-400"})),
    (CHART, "thirty digits", Text(written("16.5", "0." + "123456789" * 4)), Expect({16: "0." + "123456789" * 4})),
    (CHART, "a byte order mark", Text(lambda text: "\ufeff" + text), RIGHT),
    (CHART, "a value as text", price("16.5"), NO_PRICE),
    (CHART, "a value true", price(True), NO_PRICE),
    (CHART, "a value that is a list", price([16.5]), NO_PRICE),
    (CHART, "a value that is no number", Text(written("16.5", "NaN")), NO_PRICE),
    (CHART, "a value without end", Text(written("16.5", "-Infinity")), NO_PRICE),
    (CHART, "a stamp null", stamp(None), NO_PRICE),
    (CHART, "a stamp as text", stamp("2026-05-16"), NO_PRICE),
    (CHART, "a stamp true", stamp(True), NO_PRICE),
    (CHART, "a stamp with a fraction", stamp(TODAY - DAY * 2 + 0.5), NO_PRICE),
    (CHART, "a stamp of no year", stamp(10**15), NO_PRICE),
    (CHART, "a stamp beyond bounds", stamp(10**300), NO_PRICE),
    (CHART, "a point of three", put([TODAY, 1, 2], "prices", 3), NO_PRICE),
    (CHART, "a point null", put(None, "prices", 3), NO_PRICE),
    (CHART, "an array that is an object", put({}, "market_caps"), "is no chart: market_caps is no list"),
    (CHART, "another endpoint's answer", instead(candles()), "it holds none of prices, market_caps, total_volumes"),
    (CHART, "an error with status 200", instead({"error": "x"}), "it holds none of prices, market_caps, total_volumes"),
    (CHART, "another granularity", hours, "which are not daily; none was kept"),
    (CHART, "the answer null", instead(None), "it holds none of prices, market_caps, total_volumes"),
    (CHART, "cut off", Text(half), NO_JSON),
    (CHART, "twice", Text(lambda text: text + text), NO_JSON),
    (CHART, "empty", Text(lambda _: ""), NO_JSON),
    (CHART, "a page", Text(lambda _: "<html>Wait</html>", **{"content-type": "text/html"}), NO_JSON),
    (CHART, "a number that fills the memory", Text(written("16.5", "1e400000000")), NO_JSON),
    (CHART, "a number beyond all bounds", Text(written("16.5", "1e99999999999999999999")), NO_JSON),
    (TOKEN, "order", backwards, RIGHT),
    (TOKEN, "a value null", price(None), Expect({16: None})),
    (TOKEN, "a value as text", price("16.5"), NO_PRICE),
    (OHLC, "order", backwards, RIGHT),
    (OHLC, "a price null", put(None, 3, 2), RIGHT),
    (OHLC, "a candle twice", lambda answer: [answer[0], *answer], RIGHT),
    (OHLC, "empty", instead([]), NOTHING),
    (OHLC, "a price as text", put("4", 3, 2), NO_CANDLE),
    (OHLC, "a price true", put(True, 3, 2), NO_CANDLE),
    (OHLC, "a stamp true", put(True, 3, 0), NO_CANDLE),
    (OHLC, "a stamp of no year", put(10**15, 3, 0), NO_CANDLE),
    (OHLC, "a candle of four", without(3, 4), NO_CANDLE),
    (OHLC, "a price that is no number", Text(written("2.5]", "NaN]")), "is no list of candles: element 0 is no candle"),
    (OHLC, "another endpoint's answer", instead(chart()), "is no list of candles: it is no list"),
    (OHLC, "half hours", lambda answer: [[TODAY - DAY // 48 * i, *row[1:]] for i, row in enumerate(answer)], "shorter"),
    (MARKETS, "a name of escapes", put(HOSTILE, 0, "name"), Expect(name=HOSTILE)),
    (MARKETS, "a name of 100,000 letters", put(LONG, 0, "name"), Expect(name=LONG)),
    (
        MARKETS,
        "half a pair, and NUL",
        Text(written("Bitcoin", r"a\ud800\u0000\ud83d\ude00")),
        Expect(name="a\ufffd\ufffd\U0001f600"),
    ),
    (
        MARKETS,
        "another content type",
        Text(written("Bitcoin", "币 é"), **{"content-type": "text/html"}),
        Expect(name="币 é"),
    ),
    (MARKETS, "a key missing", without(0, "symbol"), Expect(symbol=None)),
    (MARKETS, "a price negative", put(-1, 0, "current_price"), Expect(current_price=-1)),
    (MARKETS, "a price as text", put("1.5", 0, "current_price"), "row 1 (bitcoin): current_price is no number"),
    (MARKETS, "a price true", put(True, 0, "current_price"), "(bitcoin): current_price is no number"),
    (MARKETS, "a price that is no number", Text(written("1.5", "NaN")), "row 1 (bitcoin): current_price is no number"),
    (MARKETS, "no number, deep", put({"y": [float("inf")]}, 0, "x"), "(bitcoin): extra.x.y.0 is no number"),
    (MARKETS, "a rank with a fraction", put(1.5, 0, "market_cap_rank"), "market_cap_rank is no whole number"),
    (MARKETS, "a rank beyond 64 bits", put(2**63, 0, "market_cap_rank"), "rank is no whole number of 64 bits"),
    (MARKETS, "a time that is none", put("soon", 0, "ath_date"), "row 1 (bitcoin): ath_date is no time"),
    (MARKETS, "a part of an object", put({"times": "x"}, 0, "roi"), "row 1 (bitcoin): roi.times is no number"),
    (MARKETS, "a name that is a number", put(5, 0, "name"), "row 1 (bitcoin): name is no text"),
    (MARKETS, "an id missing", without(0, "id"), "row 1: id is missing"),
    (MARKETS, "a row null", put(None, 0), "row 1 is no object"),
    (MARKETS, "another coin", put("ethereum", 0, "id"), "CoinGecko knows no coin bitcoin"),
    (MARKETS, "empty", instead([]), "CoinGecko knows no coin bitcoin"),
    (DETAILS, "another coin", put("ethereum", "id"), "row 1 (ethereum): id is not bitcoin, which was asked for"),
    (DETAILS, "an id missing", without("id"), "id is missing"),
    (DETAILS, "a list for an object", put([], "platforms"), "row 1 (bitcoin): platforms is no object"),
    (DETAILS, "no number, deep", put(float("nan"), "market_data", "ath", "usd"), "market_data.ath.usd is no number"),
    (LIST, "half a pair in a key", Text(written("{}", r'{"\udc00": "x"}')), Expect(platforms={"\ufffd": "x"})),
    (LIST, "an answer that is an object", instead({"coins": []}), "none was kept: it is no list"),
    (RATES, "a value as text", put("1.5", "rates", "usd", "value"), "row 1 (usd): value is no number"),
    (RATES, "a rate null", put(None, "rates", "usd"), "none was kept: rates.usd is no object"),
    (RATES, "rates missing", instead({}), "none was kept: rates is no object"),
    (
        GLOBAL,
        "a time with a fraction",
        put(1779878351.5, "data", "updated_at"),
        Expect(updated_at="2026-05-27T10:39:11.500000+00:00"),
    ),
    (GLOBAL, "a time true", put(True, "data", "updated_at"), "data.updated_at is no number of seconds"),
    (GLOBAL, "a time beyond bounds", put(10**300, "data", "updated_at"), "data.updated_at is no number of seconds"),
    (GLOBAL, "data null", put(None, "data"), "none was kept: data is no object"),
    (TRENDING, "a list null", put(None, "categories"), RIGHT),
    (TRENDING, "a list that is text", put("x", "nfts"), "none was kept: nfts is no list"),
    (TRENDING, "an item missing", put({}, "coins", 0), "none was kept: coins.0.item is no object"),
    (
        PLATFORMS,
        "a number beyond 64 bits",
        put(2**63, 0, "chain_identifier"),
        "(ethereum): chain_identifier is no",
    ),
    (CATEGORIES, "text for a list", put("x", 0, "top_3_coins"), "row 1 (layer-1): top_3_coins is no list"),
]

NAMES = [f"{stream.removeprefix('coingecko_')}: {what}" for stream, what, *_ in CASES]
#: Streams of history, and which part of a stamp their bookmarks hold.
STAMPS = {CHART: slice(None), TOKEN: slice(10), OHLC: slice(None)}
OTHER = ["dogecoin"]


def bookmark(run: Any, stream: str) -> str | None:
    """Bitcoin's."""
    parts = run.state["bookmarks"].get(stream, {}).get("partitions", [])
    found = [part["replication_key_value"] for part in parts if part["context"].get("coin_id") == "bitcoin"]
    return str(found[0]) if found else None


def earlier(stream: str) -> dict[str, Any]:
    """The state after an earlier run; a stream of the present has none."""
    context = {"coin_id": "bitcoin"}
    if stream != TOKEN:
        context |= {"vs_currency": "usd", "granularity": "4h" if stream == OHLC else "daily"}
    key = "date" if stream == TOKEN else "stamp"
    part = {"context": context, "replication_key": key, "replication_key_value": BEFORE[STAMPS[stream]]}
    return {"bookmarks": {stream: {"partitions": [part]}}}


@pytest.mark.parametrize(("stream", "change", "expected"), [(s, c, e) for s, _, c, e in CASES], ids=NAMES)
@pytest.mark.usefixtures("naps")
def test_an_answer(
    simulator: Any,
    run_tap: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    stream: str,
    change: Any,
    expected: Any,
) -> None:
    path, good = ANSWERS[stream]
    headers = change.headers if isinstance(change, Text) else {}
    body = change.change(json.dumps(good())) if isinstance(change, Text) else json.dumps(change(good()))
    simulator.fault(f"/api/v3{path}$", times=None, body=body, headers=headers)
    is_history = stream in STAMPS
    failure = ""
    try:
        run_tap(stream, coins=["bitcoin", *OTHER[:is_history]], state=earlier(stream) if is_history else None)
    except FatalSyncError as error:
        failure = str(error)
    run = run_tap.last  # type: ignore[attr-defined]
    rows = [row for row in run.records(stream) if row.get("coin_id") not in OTHER]
    assert not is_history or len(run.records(stream)) > len(rows), "the other coin goes on"
    assert all(letter.isprintable() or letter == "\n" for letter in caplog.text)

    if isinstance(expected, str):
        assert failure.startswith(f"{stream} of bitcoin" if is_history or stream == DETAILS else stream), failure
        assert expected in failure
        if "knows no coin" not in expected:
            assert path in failure
            assert rows == []
        assert bookmark(run, stream) == (BEFORE[STAMPS[stream]] if is_history else None)
        return
    assert failure == ""
    if expected is NOTHING:
        assert rows == []
        assert bookmark(run, stream) == BEFORE
    elif stream == OHLC:
        assert [row["close"] for row in rows] == [Decimal("2.5")] * 12
        assert bookmark(run, stream) == "2026-05-18T08:00:00.000+00:00"
    elif is_history:
        column, day = ("price", "stamp_date") if stream == CHART else ("price_usd", "date")
        prices = {number: f"{number}.5" for number in range(13, 19)} | expected
        found = [(int(row[day][-2:]), row[column]) for row in rows]
        assert found == [(number, value and Decimal(value)) for number, value in sorted(prices.items())]
        assert bookmark(run, stream) == AFTER[STAMPS[stream]]
    else:
        assert rows
        assert {name: rows[0][name] for name in expected} == expected
