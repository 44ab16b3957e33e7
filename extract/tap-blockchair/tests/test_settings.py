"""Settings, the command line, and keys that must not appear anywhere."""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests
from pytest_httpserver import HTTPServer
from singer_sdk.exceptions import ConfigValidationError

from tap_blockchair.__main__ import main
from tap_blockchair.setting_schema import CONFIG_SCHEMA
from tap_blockchair.tap import TapBlockchair
from tap_blockchair.web import Session, protect, redact

KEY = "A_secret+key/of=1"


def _batches(form: str, root: str, **encoding: str) -> dict[str, Any]:
    return {"batch_config": {"encoding": {"format": form, **encoding}, "storage": {"root": root}}}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"chains": ["bitcoin", "nocoin"]}, "chains: nocoin is not among"),
        ({"chains": []}, "chains is empty"),
        ({"channel": "both"}, "'both' is not one of ['auto', 'dumps', 'api'] in config['channel']"),
        ({"start_date": "yesterday"}, "start_date 'yesterday' is not a date: write it as YYYY-MM-DD"),
        ({"start_date": "2024-02-02", "end_date": "2024-02-01"}, "end_date 2024-02-01 lies before start_date"),
        ({"api_url": "/blockchair"}, "api_url '/blockchair' is not an address of the form https://host/path"),
        ({"dumps_url": "ftp://mirror/x"}, "dumps_url 'ftp://mirror/x' is not an address"),
        ({"dumps_url": "file:///no/such/folder"}, "dumps_url names the folder /no/such/folder, which does not exist"),
        ({"finality": {"nocoin": 3}}, "finality: nocoin is not among"),
        ({"finality": {"bitcoin": -1}}, "-1 is less than the minimum of 0"),
        ({"top_addresses": 20_000}, "20000 is greater than the maximum of 10100"),
        ({"requests_per_minute": 0}, "0 is less than the minimum of 1"),
        ({"data_origin": "mars"}, "'mars' is not one of"),
        ({"tip": "never"}, "'never' is not one of ['also', 'only', 'off', 'none'] in config['tip']"),
        ({"tip": "only", "channel": "api"}, "tip is only, which goes with channel auto, but channel is api"),
        ({"tip": "only", "channel": "dumps"}, "tip is only, which goes with channel auto, but channel is dumps"),
        ({"api_key": 1234567}, "*** is not of type 'string'"),
        (_batches("tsv", "file:///tmp", compression="none"), "hands over gzipped files of this machine"),
        (_batches("tsv", "s3://bucket"), "hands over gzipped files of this machine"),
        (_batches("csv", "file:///tmp"), "'csv' is not one of ['tsv', 'jsonl', 'parquet', 'none']"),
        ({"batch_config": {"encoding": {"format": "tsv"}}}, "'storage' is a required property"),
        ({"batch_config": "tsv"}, "'tsv' is not of type 'object'"),
    ],
)
def test_invalid_settings(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapBlockchair(config=config)
    assert len(caught.value.errors) == 1
    assert sentence in caught.value.errors[0]


def test_streams_by_channel() -> None:
    def names(**config: Any) -> set[str]:
        return set(TapBlockchair(config=config).streams)

    utxo = {"blocks", "transactions", "outputs", "inputs"}
    assert names(chains=["bitcoin-sv"], channel="dumps") == {f"bitcoin_sv_{table}" for table in utxo}
    evm = {"blocks", "transactions", "uncles", "calls", "erc20_transactions", "erc20_tokens", "stats", "addresses"}
    assert names(chains=["ethereum"]) == names(chains=["ethereum"], channel="api")
    assert names(chains=["ethereum"]) == {f"ethereum_{table}" for table in evm}
    assert names(chains=["dogecoin"], channel="api") == {f"dogecoin_{table}" for table in utxo | {"stats", "addresses"}}
    assert {name.partition("_")[0] for name in names()} == {"bitcoin", "ethereum", "dogecoin"}


def test_streams_by_tip() -> None:
    def names(tip: str) -> set[str]:
        return set(TapBlockchair(config={"chains": ["bitcoin", "ethereum"], "tip": tip}).streams)

    assert names("also") == names("off") == names("none") > names("only")
    tables = ("blocks", "stats", "addresses")
    assert names("only") == {f"{chain}_{name}" for chain in ("bitcoin", "ethereum") for name in tables} | {
        "ethereum_uncles"
    }


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"encoding": {"format": "none"}},
        {"encoding": {"format": "none", "compression": "gzip"}, "storage": {"root": "file:///x"}},
    ],
)
def test_a_batch_setting_that_says_records(setting: Any) -> None:
    tap = TapBlockchair(config={"batch_config": setting, "channel": "dumps"})
    assert tap.streams["bitcoin_blocks"].get_batch_config(tap.config) is None


def test_every_setting_is_described() -> None:
    for name, setting in CONFIG_SCHEMA["properties"].items():
        assert setting.get("description"), name
    for name in ("api_key", "dumps_key"):
        assert CONFIG_SCHEMA["properties"][name]["secret"] is True


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Runs the command line in this process, and gives its exit code."""
    monkeypatch.setenv("TAP_BLOCKCHAIR_LOGLEVEL", "DEBUG")

    def run_main(config: dict[str, Any], *options: str) -> Any:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        monkeypatch.setattr(sys, "argv", ["tap-blockchair", "--config", str(path), *options])
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        try:
            with pytest.raises(SystemExit) as caught:
                main()
        finally:
            root.handlers, root.level = handlers, level
        return caught.value.code

    return run_main


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@pytest.mark.parametrize("options", [(), ("--test",), ("--discover",)])
def test_the_command_line_ends_with_a_sentence(
    call: Any, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    assert call({"chains": ["nocoin"]}, *options) == 1
    error = capsys.readouterr().err
    assert "chains: nocoin is not among" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("pattern", "nearest"),
    [
        ("bitcoin_ouputs.*", "bitcoin_outputs"),
        ("ethereum_erc20_transaction", "ethereum_erc20_transactions"),
        ("!dogecoin_input.*", "dogecoin_inputs"),
        ("*_blocs.*", ""),
    ],
)
def test_a_selection_that_names_no_stream(
    call: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pattern: str, nearest: str
) -> None:
    """Meltano itself only warns of it, and loads less than was meant."""
    # Streams of a chain or channel that this run has not are no fault: a selection holds for all runs.
    fine = ["*_stats.*", "ethereum_uncles.*", "!bitcoin_sv_addresses.*", "bitcoin_outputs.value"]
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps([*fine, pattern]))
    assert call({"chains": ["bitcoin"], "channel": "dumps"}) == 1
    stream = pattern.strip("!").partition(".")[0]
    error = capsys.readouterr().err
    assert f"select names {pattern}, but there is no stream {stream}; the nearest is {nearest}" in error
    assert error.count("select names") == 1
    assert "Traceback" not in error


def test_a_selection_that_is_right(
    call: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", '["*.*", "!ethereum_uncles.*"]')
    assert call({"chains": ["bitcoin"], "channel": "dumps", "dumps_url": f"http://127.0.0.1:{closed_port}"}) == 1
    error = capsys.readouterr().err
    assert "cannot reach" in error
    assert "select names" not in error


@pytest.mark.parametrize("setting", ["api_url", "dumps_url"])
def test_an_unreachable_server_is_named_with_its_setting(
    call: Any, capsys: pytest.CaptureFixture[str], closed_port: int, setting: str
) -> None:
    channel = {"api_url": "api", "dumps_url": "dumps"}[setting]
    keys = {"api_key": KEY, "dumps_key": KEY}
    config = {"chains": ["bitcoin"], "channel": channel, setting: f"http://127.0.0.1:{closed_port}/x", **keys}
    assert call(config) == 1
    output = capsys.readouterr()
    assert f"cannot reach http://127.0.0.1:{closed_port}/x/bitcoin/" in output.err
    assert "connection refused" in output.err
    assert f"check the setting {setting}" in output.err
    assert "Traceback" not in output.err
    assert "try 2 of 4" in output.err
    assert_no_key(output.out + output.err)


def assert_no_key(text: str) -> None:
    for form in (KEY, "A_secret%2Bkey%2Fof%3D1", "A_secret"):
        assert form not in text


@pytest.mark.parametrize("status", [200, 402, 430, 500])
@pytest.mark.parametrize("channel", ["api", "dumps"])
def test_keys_are_sent_but_never_shown(
    call: Any, capsys: Any, httpserver: HTTPServer, envelope: Any, asked: Any, channel: str, status: int
) -> None:
    # The API repeats the key in its answers, and the dump host has a file that is none.
    odd = envelope({"blocks": 1}, error=f"your key {KEY} in ?key={quote_plus(KEY)} is odd")
    name = "blockchair_bitcoin_blocks_20240101.tsv.gz"
    httpserver.expect_request(f"/bitcoin/blocks/{name}").respond_with_data("odd", status=status)
    httpserver.expect_request(re.compile("/bitcoin/(.*/)?$")).respond_with_data(f'<a href="{name}">{name}</a>')
    httpserver.expect_request(re.compile("/bitcoin/.*")).respond_with_json(odd, status=status)
    config = {"chains": ["bitcoin"], "channel": channel, "api_key": KEY, "dumps_key": KEY}
    config |= {"api_url": httpserver.url_for(""), "dumps_url": httpserver.url_for("")}
    assert call(config) in {0, 1}
    keyed = {sent.path for sent in asked if sent.query.endswith(f"key={KEY}")}
    assert keyed, "the dump host's index needs none"
    assert keyed == {sent.path for sent in asked if not sent.path.endswith("/")}
    output = capsys.readouterr()
    # The test's server logs what it was asked, which is no output of the tap.
    assert_no_key("\n".join(line for line in (output.out + output.err).splitlines() if "HTTP/1.1" not in line))


def test_a_redacted_exception_does_not_drag_the_original_along(closed_port: int) -> None:
    protect(KEY)
    with Session() as session, pytest.raises(requests.ConnectionError) as caught:
        session.get(f"http://127.0.0.1:{closed_port}/blocks", params={"limit": "1", "key": KEY}, timeout=1)
    assert "/blocks?limit=1&key=***" in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_redact() -> None:
    assert (
        redact("GET /x?key=abc&limit=1 and https://me:pw@mirror/x") == "GET /x?key=***&limit=1 and https://***@mirror/x"
    )


def test_a_secret_is_masked_in_every_form_and_a_short_one_only_as_a_key(caplog: pytest.LogCaptureFixture) -> None:
    protect("p+ss/w0rd", "abc", None, "")
    assert redact("p+ss/w0rd p%2Bss%2Fw0rd abcdef ?KEY=abc") == "*** *** abcdef ?KEY=***"
    try:
        int("p+ss/w0rd")
    except ValueError:
        logging.getLogger("any").exception("it is %s", "p+ss/w0rd")
    assert "it is ***" in caplog.text
    assert "ValueError: invalid literal for int() with base 10: '***'" in caplog.text
    assert "w0rd" not in caplog.text


def test_what_a_source_names_controls_no_terminal_and_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    protect()
    error = ValueError("\x1b[2Jone\ntwo")
    logging.getLogger("another.library").error("%s: Ð é 币", "a\x1b]0;title\x07\n\u202eb\x9b", exc_info=error)
    (record,) = caplog.records
    assert record.getMessage() == r"a\x1b]0;title\x07\n\u202eb\x9b: Ð é 币"
    said = logging.Formatter().format(record)
    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert r"ValueError: \x1b[2Jone" in said.splitlines()
