"""Alerts reach a webhook and a mailbox, and never fail or tell too much."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from airflow_ext.alerts import task_failed

# Apprise's own import, of a module that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

REASON = "`meltano run dbt-postgres:proof` failed with status 1.\nproof failed: bitcoin block 65 of 2025-02-02, ..."


def context(reason: str = REASON) -> dict[str, object]:
    instance = SimpleNamespace(
        dag_id="marts-daily",
        task_id="dbt-postgres_proof",
        run_id="scheduled__2025-02-03",
        map_index=-1,
        try_number=2,
        log_url="http://127.0.0.1:57480/dags/marts-daily",
    )
    return {"ti": instance, "exception": RuntimeError(reason)}


class Hook(HTTPServer):
    """A webhook that keeps what it gets."""

    received: list[dict[str, str]]
    status = 200


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = Hook(("127.0.0.1", 0), Handler)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_what_failed_and_why(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"json://127.0.0.1:{hook.server_port}/secret-path")
    task_failed(context())
    (alert,) = hook.received
    assert alert["title"] == "marts-daily: dbt-postgres_proof failed"
    assert alert["type"] == "failure"
    assert "bitcoin block 65 of 2025-02-02" in alert["message"]
    assert "scheduled__2025-02-03, try 2" in alert["message"]
    assert "http://127.0.0.1:57480/dags/marts-daily" in alert["message"]


def test_a_mailbox_gets_it_too(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mailbox(Message):
        def __init__(self) -> None:
            super().__init__()
            self.subjects: list[str] = []

        def handle_message(self, message: object) -> None:
            self.subjects.append(str(message["Subject"]))  # type: ignore[index]

    mailbox = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        mail = f"mailto://127.0.0.1:{port}/?from=elt@example.com&to=ops@example.com&mode=insecure"
        monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"{mail} json://127.0.0.1:{hook.server_port}")
        task_failed(context())
    finally:
        controller.stop()
    assert mailbox.subjects == ["marts-daily: dbt-postgres_proof failed"]
    assert len(hook.received) == 1


@pytest.mark.parametrize("url", ["nonsense", "json://127.0.0.1:1/secret-path", "json://user:secret-word@127.0.0.1:1"])
def test_what_cannot_be_sent_is_noted_without_its_address(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", url)
    with caplog.at_level(logging.DEBUG):
        task_failed(context())
    assert "address 1 of alert_urls" in caplog.text.lower()
    assert "secret" not in caplog.text


def test_none_is_sent_until_it_is_configured(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", "")
    task_failed(context())
    assert hook.received == []


def test_a_long_reason_is_cut(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"json://127.0.0.1:{hook.server_port}")
    task_failed(context("x" * 50_000))
    assert len(hook.received[0]["message"]) < 5000
