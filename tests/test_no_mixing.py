"""Simulated and live rows never meet."""

import subprocess
from collections.abc import Callable

import pytest

from checkout import Checkout
from worlds import MONTHS_END, World


@pytest.fixture(scope="module", autouse=True)
def _simulated_rows(filled: Callable[[World], Checkout]) -> None:
    filled(MONTHS_END)


def test_a_warehouse_of_simulated_rows_refuses_live_ones(checkout: Checkout) -> None:
    before = checkout.tables()
    done = load(checkout, data_origin="live")
    assert done.returncode != 0
    assert "simulated data" in done.stdout + done.stderr
    assert checkout.tables() == before


def test_a_warehouse_of_live_rows_refuses_simulated_ones(checkout: Checkout) -> None:
    checkout.sql("update raw_data.warehouse_origin set origin = 'live' returning origin", role="loader")
    before = checkout.tables()
    done = checkout.make("run", check=False, **MONTHS_END.served, **MONTHS_END.loaded)
    assert done.returncode != 0
    assert "live data" in done.stderr
    assert checkout.tables() == before


def test_a_live_tap_refuses_the_simulator(checkout: Checkout) -> None:
    done = checkout.run(
        *("meltano", "invoke", "tap-blockchair"),
        check=False,
        TAP_BLOCKCHAIR_DATA_ORIGIN="live",
    )
    assert done.returncode != 0
    assert "serves simulated data, but data_origin is live" in done.stderr
    assert '"RECORD"' not in done.stdout
    assert '"BATCH"' not in done.stdout


def load(checkout: Checkout, *, data_origin: str) -> "subprocess.CompletedProcess[str]":
    return checkout.run(
        *("meltano", "run", "tap-blockchair", "target-postgres"),
        check=False,
        TARGET_POSTGRES_DATA_ORIGIN=data_origin,
    )
