"""The Hub's CoinGecko tap in the place of ours: the switch that its README shows, and its rows up to the marts.

The tap itself comes from a repository that no test may ask. In its place stands a script that sends the messages which
the tap sent when it was run against the simulator (plugins/extractors/README.md says when and how).
"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import PROJECT, Checkout

pytestmark = pytest.mark.long(part="compatibility")
MESSAGES = PROJECT / "tests/data/hub_tap"
README = PROJECT / "plugins/extractors/README.md"
LOCK = PROJECT / "plugins/extractors/tap-coingecko--sicarul.lock"
PLUGIN = "tap-coingecko--hub"
# The world that the messages are of.
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
STAND_IN = """#!/bin/sh
case "$*" in
  *--discover*) cat "$HUB_TAP/catalog.json" ;;
  *) cp "$2" "$HUB_TAP_CONFIG"; cat "$HUB_TAP/$HUB_TAP_MESSAGES.singer" ;;
esac
"""
CLOSES = (
    "select close_date, close_price_usd, coingecko_market_cap_usd, volume_24h_usd"
    " from analytics.fct_market_prices_daily"
)


def records(name: str) -> list[dict[str, Any]]:
    """The rows of a recorded run, with numbers as they were written."""
    lines = (MESSAGES / f"{name}.singer").read_text().splitlines()
    messages = [json.loads(line, parse_float=Decimal) for line in lines]
    return [message["record"] for message in messages if message["type"] == "RECORD"]


def expected_closes(name: str) -> list[tuple[object, ...]]:
    """What the mart holds of a recorded run: a date's values close the day before; of one without data nothing."""
    amounts = ("price_usd", "market_cap_usd", "total_volume_usd")
    return [
        (date.fromisoformat(row["date"]) - timedelta(days=1), *(row.get(amount) for amount in amounts))
        for row in records(name)
    ]


def closes(checkout: Checkout, coin: str) -> list[tuple[object, ...]]:
    """A coin's closes in the mart."""
    return checkout.sql(f"{CLOSES} where coingecko_id = %s order by 1", coin)


@pytest.fixture(scope="module")
def switched(checkout: Checkout) -> Checkout:
    """A checkout with the two entries of the README, for the coin of each test in turn, and the stand-in."""
    plugin, settings = re.findall(r"^```yaml\n(.*?\n)```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert [[entry["name"] for entry in yaml.safe_load(text)] for text in (plugin, settings)] == [[PLUGIN], [PLUGIN]]
    definitions, project = checkout.root / "extract/extractors.meltano.yml", checkout.root / "meltano.yml"
    assert definitions.read_text().count("\n  utilities:\n") == 1
    definitions.write_text(definitions.read_text().replace("\n  utilities:\n", f"\n{plugin}  utilities:\n"))
    head, local = project.read_text().split("- name: local", 1)
    project.write_text(
        head + "- name: local" + local.replace("      extractors:\n", "      extractors:\n" + settings, 1)
    )
    checkout.make("env")
    checkout.run("warehouse", "start")
    checkout.run("simulator", "start", "--start", "2026-11-01", "--days", "2", "--now", NOW.isoformat())
    return checkout


@pytest.fixture(scope="module")
def with_stand_in(switched: Checkout) -> Checkout:
    """From here on the plugin is a script."""
    script = switched.root / "hub-tap"
    script.write_text(STAND_IN)
    script.chmod(0o755)
    definitions = switched.root / "extract/extractors.meltano.yml"
    text = definitions.read_text()
    definitions.write_text(text.replace("variant: sicarul}", "variant: sicarul, executable: ./hub-tap, pip_url: ''}"))
    switched.run("meltano", "install", "tap-coingecko", "target-postgres", "dbt-postgres")
    return switched


def run(checkout: Checkout, messages: str, *blocks: str, check: bool = True) -> str:
    """Run the plugin, the loader and what else is named; what was said."""
    hub_tap = {
        "HUB_TAP": str(MESSAGES),
        "HUB_TAP_MESSAGES": messages,
        "HUB_TAP_CONFIG": str(checkout.root / "hub.json"),
    }
    given = ("meltano", "run", "--no-install", "--force", PLUGIN, "target-postgres", *blocks)
    done = checkout.run(*given, check=check, **hub_tap)
    assert (done.returncode == 0) is check
    return done.stdout + done.stderr


def test_the_lock_file_is_what_the_hub_says() -> None:
    lock = json.loads(LOCK.read_text())
    assert (lock["name"], lock["variant"], lock["namespace"]) == ("tap-coingecko", "sicarul", "tap_coingecko")
    assert lock["pip_url"] == "git+https://github.com/sicarul/tap-coingecko.git"
    settings = {setting["name"]: setting for setting in lock["settings"]}
    assert settings["token"]["sensitive"]
    assert settings["wait_time_between_requests"]["value"] == 5
    assert lock["settings_group_validation"] == [["api_url", "start_date", "token", "wait_time_between_requests"]]


def test_the_two_entries_need_no_hub(switched: Checkout) -> None:
    nowhere = "http://127.0.0.1:9"
    ours = switched.run("meltano", "config", "list", "--all", "tap-coingecko", MELTANO_HUB_API_ROOT=nowhere)
    theirs = switched.run("meltano", "config", "list", "--all", PLUGIN, MELTANO_HUB_API_ROOT=nowhere)
    assert "TAP_COINGECKO_COINS" in ours.stdout
    assert "TAP_COINGECKO__HUB_TOKEN" in theirs.stdout
    assert "TAP_COINGECKO__HUB_COINS" not in theirs.stdout


def test_rows_that_name_their_coin_reach_the_marts(with_stand_in: Checkout) -> None:
    run(with_stand_in, "dogecoin_named", "dbt-postgres:build")
    given = json.loads((with_stand_in.root / "hub.json").read_text())
    assert given["token"] == "bitcoin"  # of the README's line, whatever the messages are of
    assert given["api_url"] == f"{with_stand_in.simulator()}/coingecko/api/v3"
    assert given["stream_maps"]["coingecko_token"] == {
        "coin_id": "'bitcoin'",
        "__key_properties__": ["coin_id", "date"],
    }
    assert closes(with_stand_in, "dogecoin") == expected_closes("dogecoin_named")
    raw = with_stand_in.sql("select date, price_usd, coin_id from raw_data.coingecko_token order by 1")
    assert raw == [(row["date"], row.get("price_usd"), "dogecoin") for row in records("dogecoin_named")]
    # The date without data is kept, and closes nothing: its day says so.
    missing = with_stand_in.sql(
        "select close_date from analytics.fct_market_prices_daily where price_status = 'missing'"
    )
    assert missing == [(date(2026, 11, 19),)]


def test_the_simulated_market_says_the_same_in_our_taps_words(with_stand_in: Checkout) -> None:
    """Ours goes on in the same table: a project may change over and back, and keep its models."""
    theirs = {row["date"]: row for row in records("dogecoin_named")}
    settings = {
        "TAP_COINGECKO_COINS": '["dogecoin", "bitcoin"]',
        "TAP_COINGECKO_START_DATE": "2026-11-18",
        "TAP_COINGECKO__SELECT": '["coingecko_token.*"]',
    }
    with_stand_in.run("meltano", "run", "tap-coingecko", "target-postgres", "dbt-postgres:build", **settings)
    rows = with_stand_in.sql(
        "select coin_id, date, price_usd, market_cap_usd, total_volume_usd from raw_data.coingecko_token order by 1, 2"
    )
    dogecoin = {str(day): tuple(values) for coin, day, *values in rows if coin == "dogecoin"}
    assert dogecoin.keys() - theirs.keys() == {"2026-11-23"}  # theirs is a day late
    for day, row in theirs.items():
        if "price_usd" in row:  # theirs read a double, ours every digit
            values = (row["price_usd"], row["market_cap_usd"], row["total_volume_usd"])
            assert [float(str(value)) for value in dogecoin[day]] == [float(value) for value in values]
    assert len(closes(with_stand_in, "bitcoin")) == len(closes(with_stand_in, "dogecoin")) == 6


def test_rows_by_date_alone_need_the_setting_of_their_coin(with_stand_in: Checkout) -> None:
    with_stand_in.run("warehouse", "psql", "--role", "loader", "-c", "drop table raw_data.coingecko_token cascade")
    before = closes(with_stand_in, "bitcoin")
    said = run(with_stand_in, "bitcoin", "dbt-postgres:build", check=False)
    assert "set_coingecko_token_coin_to_the_coin_of_these_rows" in said
    assert closes(with_stand_in, "bitcoin") == before, "no mart is replaced"
    project = with_stand_in.root / "transform/dbt_project.yml"
    text = project.read_text()
    assert text.count('coingecko_token_coin: ""') == 1
    project.write_text(text.replace('coingecko_token_coin: ""', "coingecko_token_coin: bitcoin"))
    with_stand_in.run("meltano", "run", "dbt-postgres:build")
    assert closes(with_stand_in, "bitcoin") == expected_closes("bitcoin")
    assert closes(with_stand_in, "dogecoin") == []


def test_tables_of_either_key_are_not_mixed(with_stand_in: Checkout) -> None:
    """Another coin's rows would take the place of this one's: the loader stops, and the table stays."""
    table = "select * from raw_data.coingecko_token order by date"
    before = with_stand_in.sql(table)
    run(with_stand_in, "dogecoin_named", check=False)
    assert with_stand_in.sql("select date, price_usd from raw_data.coingecko_token order by 1") == [
        row[:2] for row in before
    ]


def test_the_readme_says_how_the_messages_came_about() -> None:
    """They are the tap's own: its schema, its record of a date without data, no field that the API sends no more."""
    schema = json.loads((MESSAGES / "bitcoin.singer").read_text().splitlines()[0])
    catalog = json.loads((MESSAGES / "catalog.json").read_text())["streams"][0]
    assert schema["schema"] == catalog["schema"]
    assert schema["key_properties"] == catalog["key_properties"] == ["date"]
    (gap,) = [row for row in records("bitcoin") if "price_usd" not in row]
    assert gap.keys() == {"date", "public_interest_stats"}
    assert "tests/data/hub_tap/" in README.read_text()
    assert Path(__file__).name in README.read_text()
