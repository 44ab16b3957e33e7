from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_coingecko.plans import PLANS
from tap_coingecko.tap import TapCoinGecko


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
        ({"requests_per_minute": 0}, "0 is less than the minimum of 1"),
        ({"timeout": 0}, "0 is less than the minimum of 1"),
        ({"api_url": "api.coingecko.com"}, "`api_url` must be an http or https URL"),
        ({"api_url": "https://me:pass@host/v3"}, "`api_url` must hold no user name"),
        ({"api_url": "https://host/v3?x_cg_demo_api_key=CG-x"}, "`api_url` must hold no user name"),
        ({"user_agent": " "}, "`user_agent` must be one line"),
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


def test_the_key_is_declared_secret() -> None:
    assert TapCoinGecko.config_jsonschema["properties"]["api_key"]["secret"] is True


def test_every_setting_is_described() -> None:
    for name, setting in TapCoinGecko.config_jsonschema["properties"].items():
        assert setting.get("description"), name
