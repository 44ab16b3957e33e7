"""What a person reads when something is wrong: one clear sentence, and a status that a script can see."""

import socket
from pathlib import Path

import pytest

from checkout import Checkout, make

pytestmark = pytest.mark.long(part="compatibility")


def sentences(checkout: Checkout, *command: str, **extra: str) -> str:
    """What a command prints that has to fail, and not with a traceback."""
    output = checkout.fails(*command, **extra)
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TAP_BLOCKCHAIR_CHANNEL", "carrier-pigeon", "channel"),
        ("TAP_BLOCKCHAIR_START_DATE", "no date at all", "start_date"),
        ("TAP_COINGECKO_START_DATE", "no date at all", "start_date"),
        # Meltano reads such text as 11 January where a setting's kind is a date.
        ("TAP_BLOCKCHAIR_START_DATE", "01.11.2026", "start_date '01.11.2026' is not a date: write it as YYYY-MM-DD"),
        ("TAP_COINGECKO_START_DATE", "01.11.2026", "`start_date` is '01.11.2026': write it as YYYY-MM-DD"),
        ("TAP_BLOCKCHAIR__SELECT", '["bitcoin_ouputs.*"]', "the nearest is bitcoin_outputs"),
        ("TAP_COINGECKO__SELECT", '["coingecko_market_charts.*"]', "the nearest is coingecko_market_chart"),
        ("SIMULATOR_DAYS", "-3", "days"),
    ],
)
def test_an_invalid_setting_is_named(checkout: Checkout, variable: str, value: str, words: str) -> None:
    checkout.run("crypto-elt", "stop")
    assert words in sentences(checkout, *make("run"), **{variable: value})


def test_an_unreachable_source_is_named(checkout: Checkout) -> None:
    checkout.run("warehouse", "start")
    checkout.run("simulator", "start")
    url = checkout.simulator()
    checkout.run("simulator", "stop")
    assert f"cannot reach {url}" in sentences(checkout, "meltano", "run", "tap-blockchair", "target-postgres")


def test_a_taken_port_is_named(checkout: Checkout) -> None:
    checkout.run("crypto-elt", "stop")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output = sentences(checkout, "simulator", "start", "--port", str(port))
    assert str(port) in output.splitlines()[-1]


def test_a_port_taken_meanwhile_is_left_to_its_owner(checkout: Checkout) -> None:
    checkout.run("warehouse", "start")
    port = int(checkout.url("bi_reader").rsplit(":", 1)[1].split("/")[0])
    checkout.run("warehouse", "stop")
    with socket.create_server(("127.0.0.1", port)):
        checkout.run("warehouse", "start")
        assert int(checkout.url("bi_reader").rsplit(":", 1)[1].split("/")[0]) != port
        assert checkout.sql("select 1") == [(1,)]


def test_a_folder_outside_the_project_is_named(checkout: Checkout, tmp_path: Path) -> None:
    for command in ("crypto-elt summary", "warehouse status", "simulator status"):
        assert "meltano.yml" in sentences(checkout, "sh", "-c", f"cd {tmp_path} && {command}")
