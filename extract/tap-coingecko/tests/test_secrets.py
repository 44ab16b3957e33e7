"""The key is in no log, message, state, exception or URL, whatever fails."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tap_coingecko import prices

KEY = "CG-secret0123456789"
CHART, MARKETS = "coingecko_market_chart", "coingecko_coins_markets"
ECHO = f"your key is {KEY}, and again {KEY}"
LONG = "x" * 190 + KEY  # the cut to 200 characters falls into the key


def envelopes(code: int | None) -> dict[str, str]:
    said = f'"error_code":{code or "null"},"error_message":"{ECHO}"'
    return {
        "A": f'{{"status":{{"timestamp":"2026-05-17T01:39:44.892+00:00",{said}}}}}',
        "A-old": f'{{"status":{{{said}}}}}',
        "B": f'{{"error":{{"status":{{{said}}}}}}}',
        "C": f'{{"error":"{ECHO}"}}',
        "D": f'{{"error_code":{code or "null"},"status":{{"error_message":"{ECHO}"}}}}',
        "text": ECHO,
        "long": f'{{"error":"{LONG}"}}',
        "page": f"<html>error code: {code}<p>{ECHO}</p></html>",
        "escaped": json.dumps({"error": {KEY: f"\\u0043{KEY[1:]}"}}),
        "no chart": f'{{"prices":[["{KEY}",1]]}}',
        "unknown": f'{{"prices":[],"{KEY}":[]}}',
        "no list": f'{{"{KEY}":"{KEY}"}}',
        "cut": f'{{"prices":[["{KEY}"',
    }


STATUSES: list[tuple[int, int | None]] = [
    *((200, code) for code in (None, 429, 10005)),
    *((400, code) for code in (None, 10010, 10011)),
    *((401, code) for code in (None, 10002, 10005, 10006, 10012)),
    *((403, code) for code in (403, 1020)),
    *((status, None) for status in (302, 404, 408, 418, 422, 500, 502, 503, 504)),
    *((429, code) for code in (None, 429, 1015, 10006)),
]


def everything_said(caplog: pytest.LogCaptureFixture, error: BaseException | None) -> str:
    """All log lines with their arguments and exceptions, and the error with all it drags along."""
    lines = [logging.Formatter("%(name)s %(message)s").format(record) for record in caplog.records]
    # The server's own log is no part of the tap; nor are the URLs it shows, which are looked at one by one.
    said = [line for line in lines if not line.startswith("werkzeug")]
    if error is not None:
        said += traceback.format_exception(error)
        links: BaseException | None = error
        while links is not None:
            said.append(repr(links) + repr(links.args))
            links = links.__cause__ or links.__context__
    return "\n".join(said)


@pytest.mark.parametrize(
    ("stream", "status", "code"),
    [*((CHART, *status) for status in STATUSES), (MARKETS, 200, None), (MARKETS, 401, 10002)],
)
@pytest.mark.usefixtures("naps")
def test_whatever_the_source_says(
    httpserver: HTTPServer,
    run_at: Any,
    caplog: pytest.LogCaptureFixture,
    stream: str,
    status: int,
    code: int | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = httpserver.url_for("/api/v3")
    for name, body in envelopes(code).items():
        headers = {"Location": f"{url}/elsewhere?x_cg_demo_api_key={KEY}"} if status == 302 else {}
        httpserver.clear()
        httpserver.expect_request(re.compile(".*")).respond_with_data(body, status, headers)
        failure = None
        try:
            run_at(url, stream, coins=["bitcoin"], plan="demo", api_key=KEY)
        except Exception as error:  # noqa: BLE001 - any will do
            failure = error

        # A chart with a key of its own beside the arrays is a good one.
        assert (failure is None) == (status == 200 and name == "unknown" and stream == CHART), name
        assert KEY not in everything_said(caplog, failure), name
        assert KEY[:8] not in str(failure), name
        assert KEY not in run_at.last.text, name
        for request, _ in httpserver.log:
            assert request.headers["x-cg-demo-api-key"] == KEY
            assert KEY not in request.url
        caplog.clear()


@pytest.mark.parametrize(
    ("scheme", "settings"),
    [("http", {"timeout": 1}), ("https", {"timeout": 1}), ("http", {"timeout": 1, "data_origin": "simulator"})],
)
@pytest.mark.usefixtures("naps")
def test_whatever_the_network_does(
    run_at: Callable[..., Any], caplog: pytest.LogCaptureFixture, scheme: str, settings: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 1):
            failure = None
            try:
                run_at(f"{scheme}://127.0.0.1:{port}/api/v3", MARKETS, plan="demo", api_key=KEY, **settings)
            except Exception as error:  # noqa: BLE001 - any will do
                failure = error
            assert failure is not None
            assert KEY not in everything_said(caplog, failure)


def test_a_fault_of_the_taps_own(
    run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even the traceback of a bug shows no key."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(prices, "completed_points", None)

    with pytest.raises(TypeError) as caught:
        run_tap(CHART, plan="demo", api_key=KEY)

    assert KEY not in everything_said(caplog, caught.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"plan": "demo", "api_key": KEY, "coins": "bitcoin"}, "'bitcoin' is not of type 'array'"),
        ({"plan": "demo", "api_key": [KEY]}, "`api_key` must be text"),
        ({"plan": "demo", "api_key": KEY + "\n"}, "`api_key` holds a blank"),
        ({"plan": "keyless", "api_key": KEY}, "`api_key` is given but"),
        ({"plan": "demo", "api_key": KEY, "api_url": f"https://host/v3?x_cg_demo_api_key={KEY}"}, "`api_url`"),
        ({"plan": "demo", "api_key": KEY, "api_url": f"https://{KEY}@host/v3"}, "`api_url`"),
        ({"plan": "demo", "api_key": KEY, "api_url": f"http://127.0.0.1:1/{KEY}"}, "`api_url` holds the key"),
        ({"plan": "demo", "api_key": KEY, "api_url": "http://127.0.0.1:1/api/v3"}, "nothing answers there"),
    ],
)
def test_the_executable(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "tap_coingecko", "--config", "config.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "TAP_COINGECKO_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"},
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
