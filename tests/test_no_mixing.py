"""Simulated and live rows never meet."""

from collections.abc import Callable

import pytest

from checkout import Checkout, make
from worlds import MONTHS_END, World


@pytest.fixture(scope="module", autouse=True)
def _simulated_rows(filled: Callable[[World], Checkout]) -> None:
    filled(MONTHS_END)


def test_a_warehouse_of_simulated_rows_refuses_live_ones(checkout: Checkout) -> None:
    before = checkout.tables()
    load = ("meltano", "run", "tap-blockchair", "target-postgres")
    assert "simulated data" in checkout.fails(*load, TARGET_POSTGRES_DATA_ORIGIN="live")
    assert checkout.tables() == before


def test_a_warehouse_of_live_rows_refuses_simulated_ones(checkout: Checkout) -> None:
    checkout.sql_do("update raw_data.warehouse_origin set origin = 'live'", role="loader")
    before = checkout.tables()
    assert "live data" in checkout.fails(*make("run"), **MONTHS_END.served, **MONTHS_END.loaded)
    assert checkout.tables() == before


def test_a_live_tap_refuses_the_simulator(checkout: Checkout) -> None:
    output = checkout.fails("meltano", "invoke", "tap-blockchair", TAP_BLOCKCHAIR_DATA_ORIGIN="live")
    assert "serves simulated data, but data_origin is live" in output
    assert '"RECORD"' not in output
    assert '"BATCH"' not in output
