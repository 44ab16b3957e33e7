"""By when streams and marts should be there, and how what was found is told."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from console.errors import ConsoleError
from console.health import Health, call
from console.metrics import write_metrics
from console.promises import Fact, Verdict, judge, read_hours

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def verdict(name: str, kind: str, *, day: str | None = None, age: timedelta = HOUR, own: str = "") -> Verdict:
    fact = Fact(name, kind, date.fromisoformat(day) if day else None, NOW - age)
    return judge([fact], NOW, NOW, read_hours(own))[0]


@pytest.mark.parametrize(
    ("name", "kind", "last_good", "first_late"),
    [
        ("bitcoin_stats", "stream", 3 * HOUR, 3.1 * HOUR),
        ("coingecko_coins_markets", "stream", 3 * HOUR, 3.1 * HOUR),
        ("coingecko_market_chart", "stream", 36 * HOUR, 36.1 * HOUR),
        ("fct_blocks", "mart", 30 * HOUR, 30.1 * HOUR),
    ],
)
def test_what_is_loaded_or_built_again_and_again_has_a_longest_pause(
    name: str, kind: str, last_good: timedelta, first_late: timedelta
) -> None:
    assert not verdict(name, kind, age=last_good).is_late
    assert verdict(name, kind, age=first_late).is_late


def test_a_day_is_due_a_day_and_a_half_after_its_end() -> None:
    on_time = verdict("bitcoin_blocks", "stream", day="2026-11-28", age=99 * HOUR)
    assert on_time.due == datetime(2026, 12, 1, 12, tzinfo=UTC), "of the 29th, which ends at midnight of the 30th"
    assert not on_time.is_late
    late = verdict("bitcoin_blocks", "stream", day="2026-11-26")
    assert late.is_late, "though a load has looked an hour ago"
    assert late.sentence() == "bitcoin_blocks: newest day 2026-11-26, more was due by 2026-11-29 12:00 UTC"
    assert late.lag == timedelta(days=3, hours=12)


def test_hours_of_ones_own_come_first_and_zero_does_not_watch() -> None:
    assert not verdict("bitcoin_stats", "stream", age=50 * HOUR, own="bitcoin_*=60").is_late
    assert verdict("bitcoin_stats", "stream", age=61 * HOUR, own="bitcoin_*=60").is_late
    unwatched = verdict("dogecoin_stats", "stream", age=9999 * HOUR, own="dogecoin_*=0")
    assert (unwatched.is_late, unwatched.due) == (False, None)
    with pytest.raises(ConsoleError, match="'bitcoin', which is not NAME=HOURS"):
        read_hours("bitcoin")


@pytest.fixture
def found() -> Health:
    verdicts = [verdict("bitcoin_blocks", "stream", day="2026-11-28"), verdict("fct_blocks", "mart")]
    return Health(NOW, verdicts=verdicts, rows={"raw_data.bitcoin_blocks": 7}, size=10, disk_free=20, disk_total=30)


def test_one_line_says_how_it_is(found: Health) -> None:
    assert found.line() == "well: 1 streams and 1 marts are in time, newest day 2026-11-28, no check fails"
    found.problems = ["one thing", "another"]
    assert found.line() == "not well, 2 problems: one thing; another"
    told = json.loads(json.dumps(found.as_json()))
    assert (told["well"], told["watched"][0]["name"], told["watched"][0]["late"]) == (False, "bitcoin_blocks", False)


def test_metrics_are_in_prometheus_form(found: Health, tmp_path: Path) -> None:
    path = tmp_path / "crypto_elt.prom"
    write_metrics(found, path)
    families = list(text_string_to_metric_families(path.read_text()))
    samples = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert samples["crypto_elt_healthy",] == 1
    assert samples["crypto_elt_rows", "raw_data.bitcoin_blocks"] == 7
    assert samples["crypto_elt_lag_seconds", "stream", "bitcoin_blocks"] == 36 * 3600
    assert samples["crypto_elt_last_timestamp_seconds", "mart", "fct_blocks"] == (NOW - HOUR).timestamp()
    assert samples["crypto_elt_disk_free_bytes",] == 20
    assert all(family.documentation for family in families)
    assert [other.name for other in tmp_path.iterdir()] == [path.name], "written in one step"
    with pytest.raises(ConsoleError, match="could not be written"):
        write_metrics(found, tmp_path / "nowhere" / "crypto_elt.prom")


def test_a_heartbeat_that_is_not_delivered_says_so_without_its_address(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/ping/s3cret").respond_with_data("OK")
    httpserver.expect_request("/full/s3cret").respond_with_data("no", status=503)
    assert call(httpserver.url_for("/ping/s3cret")) == ""
    assert call(httpserver.url_for("/full/s3cret")) == "the heartbeat was not delivered (HTTP 503)"
    assert "s3cret" not in call("http://127.0.0.1:1/s3cret")
    assert "has to begin with" in call("file:///etc/s3cret")
