"""The streams of the present: exact values of the documented answers, and the anomalies that are survived."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from singer_sdk.exceptions import FatalSyncError

MARKETS = "coingecko_coins_markets"
OBSERVED = "2026-05-18T12:00:00+00:00"
#: Stream, its path, the sample's name.
STREAMS = {
    "coingecko_asset_platforms": ("/asset_platforms", "asset_platforms"),
    "coingecko_categories": ("/coins/categories", "coins_categories"),
    "coingecko_coin_details": ("/coins/bitcoin", "coins_id"),
    "coingecko_coins_list": ("/coins/list", "coins_list"),
    "coingecko_coins_markets": ("/coins/markets", "coins_markets"),
    "coingecko_exchange_rates": ("/exchange_rates", "exchange_rates"),
    "coingecko_global": ("/global", "global"),
    "coingecko_trending": ("/search/trending", "search_trending"),
}


@pytest.fixture
def document(samples: Path) -> Callable[[str], Any]:
    """A documented answer's body, with exact numbers."""
    return lambda name: json.loads((samples / f"api/{name}.200.json").read_text(), parse_float=Decimal)["body"]


@pytest.fixture
def documented(simulator: Any, samples: Path) -> None:
    """Have the simulator answer what the documentation shows, digit by digit."""
    for path, name in STREAMS.values():
        text = (samples / f"api/{name}.200.json").read_text()
        body = text[text.index('"body":') + len('"body":') : text.rindex("}")]
        simulator.fault(f"/api/v3{path}$", times=None, body=body)


def restored(stream: str, rows: list[dict[str, Any]]) -> Any:
    """Make the answer again from the rows: what cannot be made was lost on the way."""

    def row(record: dict[str, Any], *added: str) -> dict[str, Any]:
        extra = record["extra"] or {}
        return {name: value for name, value in record.items() if name not in {"extra", "observed_at", *added}} | extra

    match stream:
        case "coingecko_exchange_rates":
            return {"rates": {record["currency"]: row(record, "currency") for record in rows}}
        case "coingecko_global":
            return {"data": row(rows[0])}
        case "coingecko_trending":
            kinds: dict[str, list[Any]] = {"coins": [], "nfts": [], "categories": []}
            for record in rows:
                assert record["position"] == len(kinds[record["kind"]])
                item = record["item"]
                kinds[record["kind"]].append({"item": item} if record["kind"] == "coins" else item)
            return kinds
        case "coingecko_coin_details":
            return row(rows[0])
        case "coingecko_coins_markets":
            return [row(record, "vs_currency") for record in rows]
    return [row(record) for record in rows]


def without_absent(value: Any, model: Any) -> Any:
    """Leave out the columns that are null because the answer has no such key."""
    if isinstance(value, dict) and isinstance(model, dict):
        return {
            name: without_absent(part, model.get(name))
            for name, part in value.items()
            if part is not None or name in model
        }
    if isinstance(value, list) and isinstance(model, list) and len(value) == len(model):
        return [without_absent(one, other) for one, other in zip(value, model, strict=True)]
    return value


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.usefixtures("documented")
def test_nothing_of_a_documented_answer_is_lost_or_changed(
    run_tap: Callable[..., Any], document: Callable[[str], Any], stream: str
) -> None:
    rows = run_tap(stream).records(stream)

    answer = document(STREAMS[stream][1])
    if stream == "coingecko_global":  # seconds since 1970 become a time
        assert answer["data"].pop("updated_at") == 1779878351
        assert rows[0].pop("updated_at") == "2026-05-27T10:39:11+00:00"
    assert without_absent(restored(stream, rows), answer) == answer
    assert {row["observed_at"] for row in rows} == {OBSERVED}


@pytest.mark.usefixtures("documented")
def test_what_has_no_column_lies_in_extra(run_tap: Callable[..., Any]) -> None:
    run = run_tap(*STREAMS)

    (details,) = run.records("coingecko_coin_details")
    assert set(details["extra"]) == {"community_data", "developer_data", "tickers"}
    assert [row["chain_identifier"] for row in run.records("coingecko_asset_platforms")] == [None, 747]
    (market,) = run.records(MARKETS)
    assert market["circulating_supply"] == Decimal("20030493.0")
    assert market["extra"]["sparkline_in_7d"]["price"][0] == Decimal("81045.84776489827")


def test_what_is_asked(sent: Any, run_tap: Callable[..., Any]) -> None:
    run_tap(*STREAMS, coins=["bitcoin", "dogecoin"], vs_currencies=["usd", "eur"])

    queries = [dict(parse_qsl(urlsplit(request.url).query)) for request in sent]
    details = {"localization": "false", "tickers": "false", "sparkline": "false"}
    markets = {"ids": "bitcoin,dogecoin", "per_page": "250", "precision": "full"}
    assert list(zip(sent.paths, queries, strict=True)) == [
        ("/asset_platforms", {}),
        ("/coins/categories", {}),
        ("/coins/bitcoin", details),
        ("/coins/dogecoin", details),
        ("/coins/list", {"include_platform": "true"}),
        ("/coins/markets", {"vs_currency": "usd", **markets}),
        ("/coins/markets", {"vs_currency": "eur", **markets}),
        ("/exchange_rates", {}),
        ("/global", {}),
        ("/search/trending", {}),
    ]


def test_null_absence_and_whole_numbers(simulator: Any, run_tap: Callable[..., Any]) -> None:
    body = json.dumps(
        [
            {"id": "bitcoin", "market_cap_rank": 1.0, "current_price": 76975, "roi": {"times": 1, "unheard": "of"}},
            {"id": "dogecoin", "market_cap_rank": None, "current_price": None, "extra": "read all about it"},
        ]
    )
    simulator.fault("/coins/markets", body=body)

    bitcoin, dogecoin = run_tap(MARKETS, coins=["bitcoin", "dogecoin"]).records(MARKETS)

    assert (bitcoin["market_cap_rank"], bitcoin["current_price"], bitcoin["ath"]) == (1, 76975, None)
    assert isinstance(bitcoin["market_cap_rank"], int)
    assert bitcoin["roi"] == {"times": 1, "unheard": "of"}
    assert bitcoin["extra"] is None
    assert (dogecoin["market_cap_rank"], dogecoin["current_price"], dogecoin["roi"]) == (None, None, None)
    assert dogecoin["extra"] == {"extra": "read all about it"}
    assert bitcoin.keys() == dogecoin.keys()


def test_what_global_and_trending_may_lack(simulator: Any, run_tap: Callable[..., Any]) -> None:
    simulator.fault("/global$", body='{"data":{"markets":2}}')
    simulator.fault("/search/trending", body='{"coins":[],"nfts":[{"name":"x"}],"categories":null}')

    run = run_tap("coingecko_global", "coingecko_trending")

    assert [(row["markets"], row["updated_at"]) for row in run.records("coingecko_global")] == [(2, None)]
    assert [(row["kind"], row["id"], row["name"]) for row in run.records("coingecko_trending")] == [("nfts", None, "x")]


BROKEN = {
    "coingecko_asset_platforms": ("/asset_platforms", ["{}", "[1]", '[{"name":"x"}]', '[{"id":null}]']),
    "coingecko_categories": ("/coins/categories", ["null", '["a"]']),
    "coingecko_coin_details": ("/coins/bitcoin", ["[]", '"x"', "{}"]),
    "coingecko_coins_list": ("/coins/list", ["5", '{"coins":[]}']),
    "coingecko_coins_markets": ("/coins/markets", ['{"data":[]}', "[[]]"]),
    "coingecko_exchange_rates": ("/exchange_rates", ["{}", "[]", '{"rates":[]}', '{"rates":{"usd":1}}']),
    "coingecko_global": ("/global", ["{}", '{"data":[]}', '{"data":{"updated_at":"soon"}}']),
    "coingecko_trending": ("/search/trending", ["[]", '{"coins":[{}]}', '{"nfts":[1]}']),
}


@pytest.mark.parametrize(
    ("stream", "body"), [(stream, body) for stream, (_, bodies) in BROKEN.items() for body in bodies]
)
def test_an_answer_of_another_shape_is_reported(
    simulator: Any, run_tap: Callable[..., Any], stream: str, body: str
) -> None:
    simulator.fault(f"/api/v3{BROKEN[stream][0]}$", body=body)
    other = "coingecko_asset_platforms" if stream == "coingecko_categories" else "coingecko_categories"

    with pytest.raises(FatalSyncError, match=f"has not the shape of {stream}; none was kept"):
        run_tap(stream, other)

    assert run_tap.last.records(stream) == []  # type: ignore[attr-defined]
    assert run_tap.last.records(other) != []  # type: ignore[attr-defined]


def test_a_coin_the_source_leaves_out_is_reported(run_tap: Callable[..., Any]) -> None:
    with pytest.raises(FatalSyncError, match="no coin bitcoinn, dogecion;"):
        run_tap(MARKETS, coins=["bitcoin", "bitcoinn", "dogecion"])
    assert [row["id"] for row in run_tap.last.records(MARKETS)] == ["bitcoin"]  # type: ignore[attr-defined]


def test_a_snapshot_is_added_to_earlier_ones(moving: Any, run_at: Callable[..., Any]) -> None:
    now = moving.now
    first = run_at(moving.api(), "coingecko_global", emit_activate_version_messages=True)
    moving.post("advance", {"days": 1})
    second = run_at(moving.api(), "coingecko_global", state=first.state, emit_activate_version_messages=True)

    observed = [row["observed_at"] for run in (first, second) for row in run.records("coingecko_global")]
    assert observed == [now.isoformat(), (now + timedelta(days=1)).isoformat()]
    # That message would have a loader delete what came before.
    assert "ACTIVATE_VERSION" not in {message["type"] for run in (first, second) for message in run.messages}
