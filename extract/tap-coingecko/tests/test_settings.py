from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from singer_sdk.exceptions import ConfigValidationError

from tap_coingecko.plans import PLANS
from tap_coingecko.settings import parse_start_date
from tap_coingecko.tap import TapCoinGecko

#: How the names of the SDK's own settings begin.
SDK = ("stream_", "flattening_", "batch_", "faker_", "add_record_", "load_", "validate_", "emit_", "target_")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"plan": "gold"}, "'gold' is not one of ['keyless', 'demo'"),
        ({"plan": "demo"}, "`api_key` is missing: plan demo needs one"),
        ({"api_key": "CG-x"}, "`api_key` is given but `plan` is keyless"),
        ({"plan": "demo", "api_key": "CG-x\n"}, "`api_key` holds a blank"),
        ({"plan": "demo", "api_key": 987654}, "`api_key` must be text"),
        ({"coins": []}, "`coins` is empty"),
        ({"coins": ["bitcoin", "bitcoin"]}, "`coins` names something twice"),
        ({"coins": ["bit coin"]}, "`coins` holds 'bit coin'"),
        ({"coins": ["a/../b"]}, "`coins` holds 'a/../b'"),
        ({"coins": [f"coin{number}" for number in range(251)]}, "at most 250"),
        ({"vs_currencies": []}, "`vs_currencies` is empty"),
        ({"vs_currencies": ["USD"]}, "write currencies in lower case"),
        ({"start_date": "yesterday"}, "`start_date` is 'yesterday'"),
        ({"granularities": []}, "`granularities` must name daily, hourly or both"),
        ({"granularities": ["daily", "daily"]}, "`granularities` must name daily, hourly or both"),
        ({"granularities": ["5m"]}, "'5m' is not one of ['daily', 'hourly']"),
        ({"token": "bitcoin", "coins": ["bitcoin"]}, "`token` and `coins` are two names for the same"),
        ({"token": ","}, "`coins` is empty"),
        ({"token": "bit coin"}, "`coins` holds 'bit coin'"),
        ({"wait_time_between_requests": -1}, "-1 is less than the minimum of 0"),
        ({"monthly_credits": 0}, "0 is less than the minimum of 1"),
        ({"requests_per_minute": 0}, "0 is less than the minimum of 1"),
        ({"timeout": 0}, "0 is less than the minimum of 1"),
        ({"api_url": "api.coingecko.com"}, "`api_url` must be an http or https URL"),
        ({"api_url": "https://me:pass@host/v3"}, "`api_url` must hold no user name"),
        ({"api_url": "https://host/v3?x_cg_demo_api_key=CG-x"}, "`api_url` must hold no user name"),
        ({"api_url": "https://me@host/v3"}, "`api_url` must hold no user name"),
        ({"api_url": "https://:pass@host/v3"}, "`api_url` must hold no user name"),
        ({"api_url": "https://host/v3#top"}, "`api_url` must hold no user name"),
        ({"api_url": "https:///v3"}, "`api_url` must be an http or https URL"),
        ({"api_url": "ftp://host/v3"}, "`api_url` must be an http or https URL"),
        ({"plan": "demo", "api_key": "CG-x", "api_url": "https://host/CG-x/v3"}, "`api_url` holds the key"),
        *(({"user_agent": text}, "`user_agent` must be one line") for text in (" ", " x", "x ", "a\nb", "é")),
        *(({"coins": [f"a{sign}b"]}, f"`coins` holds {f'a{sign}b'!r}") for sign in " /?#&%,"),
        ({"vs_currencies": ["usd", "eur", "usd"]}, "`vs_currencies` names something twice"),
        ({"vs_currencies": ["us d"]}, "`vs_currencies` holds 'us d'"),
        ({"data_origin": "test"}, "'test' is not one of ['simulator', 'live']"),
    ],
)
def test_a_wrong_setting_is_one_sentence(config: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapCoinGecko(config=config)

    (error,) = caught.value.errors
    assert expected in error
    assert "CG-x" not in error
    assert "987654" not in error


@pytest.mark.parametrize(
    "config",
    [
        {"coins": [f"coin{number}" for number in range(250)]},
        {"api_url": "http://host/v3"},
        {"user_agent": "x"},
        {"user_agent": "a b (c)"},
        {"plan": "demo", "api_key": "!~", "api_url": "https://host/v3"},
        {"requests_per_minute": 1, "monthly_credits": 1, "timeout": 1, "wait_time_between_requests": 0},
        {"granularities": ["hourly", "daily"], "vs_currencies": ["eur", "usd"]},
        {"start_date": "2026-05-17T02:00:00+02:00"},
    ],
)
def test_settings_at_their_limits_are_usable(config: dict[str, Any]) -> None:
    assert TapCoinGecko(config=config).config.items() >= config.items()


@pytest.mark.parametrize("text", ["2026-05-17", "2026-05-17T00:00:00", "2026-05-17T02:00:00+02:00"])
def test_a_start_date_is_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert parse_start_date(text) == datetime(2026, 5, 17, tzinfo=UTC)


def test_empty_settings_count_as_unset() -> None:
    tap = TapCoinGecko(config={"plan": "", "api_key": "", "api_url": ""})

    assert tap.config["plan"] == "keyless"
    assert tap.streams["coingecko_market_chart"].url_base == PLANS["keyless"].api_url  # type: ignore[attr-defined]


@pytest.mark.parametrize("plan", PLANS)
def test_the_plan_picks_the_host(plan: str) -> None:
    key = {"api_key": "CG-x"} if PLANS[plan].key_header else {}
    stream = TapCoinGecko(config={"plan": plan, **key}).streams["coingecko_market_chart"]

    host = "pro-api" if plan in {"basic", "analyst", "lite", "pro", "enterprise"} else "api"
    assert stream.url_base == f"https://{host}.coingecko.com/api/v3"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("token", "coins"),
    [
        ("bitcoin", ["bitcoin"]),
        ("bitcoin, dogecoin", ["bitcoin", "dogecoin"]),
        ("", ["bitcoin", "ethereum", "dogecoin"]),
    ],
)
def test_the_hubs_name_for_coins(token: str, coins: list[str]) -> None:
    assert TapCoinGecko(config={"token": token}).config["coins"] == coins


def test_every_setting_is_one_of_the_meltano_plugin() -> None:
    definition = Path(__file__).parents[2] / "extractors.meltano.yml"
    plugins = yaml.safe_load(definition.read_text())["plugins"]["extractors"]
    (plugin,) = (plugin for plugin in plugins if plugin["name"] == "tap-coingecko")

    settings = {setting["name"]: setting for setting in plugin["settings"]}
    schema = TapCoinGecko.config_jsonschema["properties"]
    sdk = {"stream_maps", "stream_map_config"}
    assert settings.keys() - sdk == schema.keys() - {name for name in schema if name.startswith(SDK)} - sdk
    kinds = {"array": "array", "integer": "integer", "number": "decimal"}
    for name in settings.keys() - sdk:
        if name == "start_date":
            continue
        (kind,) = set(schema[name]["type"]) - {"null"}
        assert settings[name].get("kind") == kinds.get(kind), name
        assert settings[name].get("sensitive", False) == schema[name].get("secret", False), name


def test_the_key_is_declared_secret() -> None:
    assert TapCoinGecko.config_jsonschema["properties"]["api_key"]["secret"] is True


def test_every_setting_is_described() -> None:
    for name, setting in TapCoinGecko.config_jsonschema["properties"].items():
        assert setting.get("description"), name
