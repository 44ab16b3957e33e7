"""Simulated and live rows never meet."""

import subprocess
from collections.abc import Callable

import pytest

from checkout import Checkout
from worlds import MONTHS_END, World

LIVE_ENV = """
WAREHOUSE_HOST=192.0.2.1
WAREHOUSE_PORT=5432
WAREHOUSE_DB=live
WAREHOUSE_LOADER_PASSWORD=live-secret
BLOCKCHAIR_API_KEY=live-key
COINGECKO_API_KEY=live-key
COINGECKO_PLAN=pro
TARGET_POSTGRES_HOST=192.0.2.1
TAP_BLOCKCHAIR_API_URL=http://192.0.2.1
TAP_COINGECKO_API_URL=http://192.0.2.1
"""


@pytest.fixture(scope="module", autouse=True)
def _run_beside_live_names(filled: Callable[[World], Checkout]) -> None:
    checkout = filled(MONTHS_END)
    checkout.environ |= MONTHS_END.served | MONTHS_END.loaded
    with (checkout.root / ".env").open("a") as file:
        file.write(LIVE_ENV)
    checkout.make("run")


def test_a_filled_live_env_is_neither_read_nor_changed_by_a_run(checkout: Checkout) -> None:
    assert LIVE_ENV in (checkout.root / ".env").read_text()
    assert checkout.sql("select count(*) > 0 from raw_data.bitcoin_blocks") == [(True,)]
    said = "".join(path.read_text(errors="replace") for path in (checkout.root / ".state/run").glob("*"))
    assert "192.0.2.1" not in said
    assert "live-secret" not in said
    assert "live-key" not in said


def test_a_warehouse_of_simulated_rows_refuses_live_ones(checkout: Checkout) -> None:
    before = checkout.tables()
    done = load(checkout, data_origin="live")
    assert done.returncode != 0
    assert "simulated data" in done.stdout + done.stderr
    assert checkout.tables() == before


def test_a_warehouse_of_live_rows_refuses_simulated_ones(checkout: Checkout) -> None:
    checkout.sql("update raw_data.warehouse_origin set origin = 'live' returning origin", role="loader")
    before = checkout.tables()
    done = checkout.make("run", check=False)
    assert done.returncode != 0
    assert "live data" in done.stderr
    assert checkout.tables() == before


def test_a_live_tap_refuses_the_simulator(checkout: Checkout) -> None:
    done = checkout.run(
        *("meltano", "--env-file", ".state/run/local.env", "invoke", "tap-blockchair"),
        check=False,
        TAP_BLOCKCHAIR_DATA_ORIGIN="live",
    )
    assert done.returncode != 0
    assert "serves simulated data, but data_origin is live" in done.stderr
    assert '"RECORD"' not in done.stdout
    assert '"BATCH"' not in done.stdout


def load(checkout: Checkout, *, data_origin: str) -> "subprocess.CompletedProcess[str]":
    return checkout.run(
        *("meltano", "--env-file", ".state/run/local.env", "run", "tap-blockchair", "target-postgres"),
        check=False,
        TARGET_POSTGRES_DATA_ORIGIN=data_origin,
    )
