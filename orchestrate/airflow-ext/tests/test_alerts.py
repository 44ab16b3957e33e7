"""Alerts reach a webhook and a mailbox, never fail, and hold no secret."""

import logging
import re
from email.message import Message as EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from pytest_httpserver import HTTPServer

from airflow_ext.alerts import message, task_failed

# Apprise's own import, of a module that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

REASON = "`meltano run dbt-postgres:checks` failed with status 1.\ncheck failed: bitcoin block 65 of 2025-02-02, ..."


def context(reason: str | None = REASON, **more: object) -> dict[str, object]:
    instance = SimpleNamespace(
        dag_id="marts-daily",
        task_id="dbt-postgres_checks",
        run_id="scheduled__2025-02-03",
        map_index=-1,
        try_number=2,
        log_url="http://127.0.0.1:57480/dags/marts-daily",
    )
    vars(instance).update(more)
    return {"ti": instance, "exception": None if reason is None else RuntimeError(reason)}


class Anywhere(Controller):
    """A mail server at a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def hook(httpserver: HTTPServer) -> HTTPServer:
    """A webhook that takes whatever it gets."""
    httpserver.expect_request(re.compile("/.*"), "POST").respond_with_data("")
    return httpserver


def received(hook: HTTPServer) -> list[dict[str, str]]:
    return [request.get_json() for request, _ in hook.log]


def test_a_webhook_gets_what_failed_and_why(hook: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"json://127.0.0.1:{hook.port}/secret-path")
    task_failed(context())
    (alert,) = received(hook)
    assert alert["title"] == "marts-daily: dbt-postgres_checks failed"
    assert alert["type"] == "failure"
    assert "bitcoin block 65 of 2025-02-02" in alert["message"]
    assert "scheduled__2025-02-03, try 2" in alert["message"]
    assert "http://127.0.0.1:57480/dags/marts-daily" in alert["message"]


def test_a_mailbox_gets_it_too(hook: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mailbox(Message):
        def __init__(self) -> None:
            super().__init__()
            self.subjects: list[str] = []
            self.pages: list[str] = []

        def handle_message(self, message: EmailMessage) -> None:  # type: ignore[override]
            self.subjects.append(str(message["Subject"]))
            for part in message.walk():
                if part.get_content_type() == "text/html":
                    self.pages.append(part.get_payload(decode=True).decode())  # type: ignore[union-attr]

    mailbox = Mailbox()
    controller = Anywhere(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        mail = f"mailto://127.0.0.1:{controller.port}/?from=elt@example.com&to=ops@example.com&mode=insecure"
        # as Apprise's default has it, and as a page, which an address may ask for
        monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"{mail} {mail}&format=html json://127.0.0.1:{hook.port}")
        task_failed(context(f"found <script>alert(1)</script>\n{REASON}"))
    finally:
        controller.stop()
    assert mailbox.subjects == ["marts-daily: dbt-postgres_checks failed"] * 2
    assert len(received(hook)) == 1
    # what a source says is never markup
    (shown,) = mailbox.pages
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown


@pytest.mark.parametrize("url", ["nonsense", "json://127.0.0.1:1/secret-path", "json://user:secret-word@127.0.0.1:1"])
def test_what_cannot_be_sent_is_noted_without_its_address(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", url)
    with caplog.at_level(logging.DEBUG):
        task_failed(context())
    assert "address 1 of alert_urls" in caplog.text.lower()
    assert "secret" not in caplog.text


def test_none_is_sent_until_it_is_configured(hook: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", "")
    task_failed(context())
    assert received(hook) == []


def test_addresses_that_env_names_meanwhile_count_at_the_next_failure(
    hook: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Airflow runs on with what it was started with: no address, or another one."""
    failed = context() | {"task": SimpleNamespace(root=str(tmp_path))}
    for started_with in ("", f"json://127.0.0.1:{hook.port}/old"):
        monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", started_with)
        (tmp_path / ".env").write_text("# AIRFLOW_ALERT_URLS=\n")
        hook.clear_log()
        task_failed(failed)
        assert len(received(hook)) == bool(started_with)
        (tmp_path / ".env").write_text(f"A=1\nAIRFLOW_ALERT_URLS='json://127.0.0.1:{hook.port}/new'\n")
        hook.clear_log()
        task_failed(failed)
        assert [request.path for request, _ in hook.log] == ["/new"]
        (tmp_path / ".env").write_text("AIRFLOW_ALERT_URLS=\n")
        hook.clear_log()
        task_failed(failed)
        assert received(hook) == []


def test_the_reason_stands_in_the_alerts_first_line(hook: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"json://127.0.0.1:{hook.port}")
    refused = "`meltano run dbt-postgres:build` failed with status 1: Database Error: password authentication failed"
    task_failed(context(f"{refused}\nmore"))
    assert received(hook)[0]["message"].splitlines()[0] == refused


def test_an_address_that_is_wrong_keeps_no_other_from_its_alert(
    hook: HTTPServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    urls = f"nonsense json://127.0.0.1:1/secret-path json://127.0.0.1:{hook.port}"
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", urls)
    task_failed(context())
    assert len(received(hook)) == 1
    assert [record.getMessage() for record in caplog.records if record.name == "airflow_ext.alerts"] == [
        "Address 1 of alert_urls is none that Apprise knows.",
        "The alert could not be sent to address 2 of alert_urls.",
    ]


def test_an_alert_that_breaks_does_not_hide_why_the_task_failed(
    hook: HTTPServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_EXT_ALERT_URLS", f"json://127.0.0.1:{hook.port}/secret-path")
    task_failed({"ti": None})
    assert "The alert could not be sent (AttributeError)." in caplog.text
    assert "secret" not in caplog.text


def test_what_an_alert_says_of_a_mapped_task_and_of_one_without_a_reason() -> None:
    assert message(context(map_index=0))[0] == "marts-daily: dbt-postgres_checks [0] failed"
    text = message(context(None, log_url=None))[1]
    assert text.splitlines() == [
        "no reason given",
        "",
        "Run: scheduled__2025-02-03, try 2",
        "Log: in the UI",
        "When the cause is mended, clear the task: it and what waits for it run again.",
    ]


def test_a_long_reason_is_cut() -> None:
    assert message(context("x" * 4000))[1].splitlines()[0] == "x" * 4000
    assert message(context("x" * 4001))[1].splitlines()[0] == "x" * 4000 + " ..."
