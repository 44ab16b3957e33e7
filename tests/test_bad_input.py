"""What a person reads when something is wrong: one clear sentence, and a status that a script can see."""

import socket
from pathlib import Path

import pytest

from checkout import Checkout

pytestmark = pytest.mark.long(part="compatibility")


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TAP_BLOCKCHAIR_CHANNEL", "carrier-pigeon", "channel"),
        ("TAP_BLOCKCHAIR_START_DATE", "no date at all", "start_date"),
        ("TAP_COINGECKO_START_DATE", "no date at all", "start_date"),
        ("SIMULATOR_DAYS", "-3", "days"),
    ],
)
def test_an_invalid_setting_is_named(checkout: Checkout, variable: str, value: str, words: str) -> None:
    checkout.run("crypto-elt", "stop")
    done = checkout.make("run", check=False, **{variable: value})
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert words in done.stderr


def test_an_unreachable_source_is_named(checkout: Checkout) -> None:
    checkout.run("warehouse", "start")
    checkout.run("simulator", "start")
    url = checkout.simulator()
    checkout.run("simulator", "stop")
    done = checkout.run("meltano", "run", "tap-blockchair", "target-postgres", check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert f"cannot reach {url}" in said
    assert "Traceback" not in said


def test_a_taken_port_is_named(checkout: Checkout) -> None:
    checkout.run("crypto-elt", "stop")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = checkout.run("simulator", "start", "--port", str(port), check=False)
    assert done.returncode != 0
    assert str(port) in last_line(done.stderr)


def test_a_port_taken_meanwhile_is_left_to_its_owner(checkout: Checkout) -> None:
    checkout.run("warehouse", "start")
    port = int(checkout.url("bi_reader").rsplit(":", 1)[1].split("/")[0])
    checkout.run("warehouse", "stop")
    with socket.create_server(("127.0.0.1", port)):
        checkout.run("warehouse", "start")
        assert int(checkout.url("bi_reader").rsplit(":", 1)[1].split("/")[0]) != port
        assert checkout.sql("select 1") == [(1,)]


def test_a_folder_outside_the_project_is_named(checkout: Checkout, tmp_path: Path) -> None:
    for program in ("crypto-elt", "warehouse", "simulator"):
        done = checkout.run(
            "sh", "-c", f"cd {tmp_path} && {program} {'summary' if program == 'crypto-elt' else 'status'}", check=False
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert "meltano.yml" in done.stderr
