"""Settings by variables."""

import pytest

from dashboard.errors import DashboardError
from dashboard.settings import read_settings

NAMED = {"DASHBOARD_WAREHOUSE_HOST": "db", "DASHBOARD_WAREHOUSE_DATABASE": "crypto"}


def test_it_listens_on_loopback_and_reads_as_the_reader() -> None:
    settings = read_settings(NAMED | {"DASHBOARD_WAREHOUSE_SSLMODE": "${WAREHOUSE_SSLMODE}"})
    assert (settings.host, settings.port) == ("127.0.0.1", 57482)
    assert settings.warehouse["user"] == "bi_reader"
    assert settings.warehouse["sslmode"] == "prefer"


def test_settings_are_taken() -> None:
    given = {"DASHBOARD_HOST": "0.0.0.0", "DASHBOARD_PORT": "0", "DASHBOARD_WAREHOUSE_SSLMODE": "verify-full"}  # noqa: S104
    settings = read_settings(NAMED | given)
    assert (settings.host, settings.port, settings.warehouse["sslmode"]) == ("0.0.0.0", 0, "verify-full")  # noqa: S104


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "run `make run` once"),
        ({"DASHBOARD_WAREHOUSE_HOST": "${LOCAL_WAREHOUSE_HOST}"}, "does not know the warehouse"),
        (NAMED | {"DASHBOARD_PORT": "http"}, "a port is a number"),
        (NAMED | {"DASHBOARD_PORT": "65536"}, "a port is a number"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, str], words: str) -> None:
    with pytest.raises(DashboardError, match=words):
        read_settings(given)
