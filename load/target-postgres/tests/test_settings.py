from __future__ import annotations

import copy
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from singer_sdk import Target
from singer_sdk.exceptions import ConfigValidationError
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy.target import TargetPostgresCopy

GOOD = {"host": "127.0.0.1", "port": 5432, "user": "loader", "password": "secret", "database": "crypto"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data_origin": "test"}, "'test' is not one of ['simulator', 'live']"),
        ({"host": None}, "host (WAREHOUSE_HOST) is empty: set it in .env"),
        ({"host": None, "password": None}, "host (WAREHOUSE_HOST), password (WAREHOUSE_LOADER_PASSWORD) is empty"),
        ({"lock_timeout": -1}, "-1 is less than the minimum of 0"),
        ({"ssl_enable": True, "ssl_mode": "maybe"}, "ssl_mode"),
    ],
)
def test_a_wrong_setting_is_one_sentence(changes: dict[str, Any], expected: str) -> None:
    config = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}

    with pytest.raises(ConfigValidationError) as caught:
        TargetPostgresCopy(config=config)

    (error,) = caught.value.errors
    assert expected in error
    assert "secret" not in error


def test_stock_settings_stay_and_the_stock_loader_is_untouched() -> None:
    ours, stock = documented_settings(TargetPostgresCopy), documented_settings(TargetPostgres)

    own = {"allow_empty", "backfill", "check_state", "data_origin", "lock_timeout", "reload", "run_id"}
    own |= {"connect_timeout", "silence_timeout", "statement_timeout", "verify"}
    assert ours == stock | own
    assert "data_origin" not in stock


def documented_settings(loader: type[Target]) -> set[str]:
    """What `--about` lists: the SDK adds its own settings to a class only when that is first asked for."""
    schema = copy.deepcopy(loader.config_jsonschema)
    loader.append_builtin_config(schema)
    return set(schema["properties"])


def test_every_command_is_there() -> None:
    scripts = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["scripts"]
    for name, place in scripts.items():
        assert callable(EntryPoint(name, place, "console_scripts").load()), name
