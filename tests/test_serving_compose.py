"""plugins/warehouse/serving.compose.yaml, as the real Compose reads it; no engine is needed for that."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from checkout import PROJECT
from compose import compose, deployment, set_variable

FILE = "plugins/warehouse/serving.compose.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout's folder with a .env as `make env` writes it, in which one chain is named."""
    made = deployment(tmp_path / "serving")
    (made / FILE).parent.mkdir(parents=True)
    shutil.copy2(PROJECT / FILE, made / FILE)
    set_variable(made, "WAREHOUSE_CHAINS", "bitcoin")
    set_variable(made, "WAREHOUSE_BITCOIN_HOST", "10.0.0.11")
    return made


def services(folder: Path) -> dict[str, dict[str, Any]]:
    done = compose(folder, "--env-file", ".env", "-f", FILE, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


def test_nothing_is_published_beyond_this_machine_unless_asked(folder: Path) -> None:
    ports = {name: one["ports"] for name, one in services(folder).items() if "ports" in one}
    assert ports.keys() == {"serving_db", "dashboard"}
    assert {port["host_ip"] for each in ports.values() for port in each} == {"127.0.0.1"}
    set_variable(folder, "WAREHOUSE_BIND", "10.0.0.1")
    assert services(folder)["serving_db"]["ports"][0]["host_ip"] == "10.0.0.1"


def test_the_chains_reach_the_command_and_no_secret_the_dashboard(folder: Path) -> None:
    found = services(folder)
    given = found["unite"]["environment"]
    assert given["WAREHOUSE_BITCOIN_HOST"] == "10.0.0.11"
    assert given["WAREHOUSE_HOST"] == "serving_db"
    assert given["WAREHOUSE_ADMIN_PASSWORD"]
    secrets = {name for name in found["dashboard"]["environment"] if "PASSWORD" in name}
    assert secrets == {"DASHBOARD_WAREHOUSE_PASSWORD"}


def test_a_secret_that_is_missing_is_named(folder: Path) -> None:
    set_variable(folder, "WAREHOUSE_ADMIN_PASSWORD", "")
    done = compose(folder, "--env-file", ".env", "-f", FILE, "config", "--quiet")
    assert done.returncode != 0
    assert "required variable WAREHOUSE_ADMIN_PASSWORD is missing a value" in done.stderr
