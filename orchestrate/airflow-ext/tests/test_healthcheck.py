"""orchestrate/healthcheck.py, by which containers report whether Airflow's parts work."""

import importlib.util
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pytest_httpserver import HTTPServer

HEALTH = "/api/v2/monitor/health"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> ModuleType:
    """The program, with an API server that a test may make answer."""
    spec = importlib.util.spec_from_file_location("healthcheck", Path(__file__).resolve().parents[2] / "healthcheck.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("AIRFLOW_EXECUTION_API_URL", httpserver.url_for("/execution/"))
    monkeypatch.setenv("AIRFLOW_HOME", "/p/.state/airflow")
    return module


def test_each_part_is_judged_by_what_the_api_server_says(
    check: ModuleType, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"scheduler": {"status": "healthy"}, "dag_processor": {"status": "unhealthy"}}
    httpserver.expect_request(HEALTH).respond_with_json(parts)
    assert check.main(["api-server", "scheduler"]) == 0
    assert check.main(["scheduler", "dag-processor", "triggerer"]) == 1
    assert check.main(["flight-deck"]) == 1
    assert check.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "healthy",
        "dag-processor is unhealthy to the API server",
        "triggerer is unknown to the API server",
        "flight-deck is no component",
        "healthy",
    ]


@pytest.mark.parametrize(("body", "status"), [("<html>", 200), ("{}", 503)])
def test_an_api_server_that_gives_no_answer_is_wrong(
    check: ModuleType, httpserver: HTTPServer, body: str, status: int
) -> None:
    httpserver.expect_request(HEALTH).respond_with_data(body, status)
    for name in ("api-server", "scheduler"):
        assert check.of_airflow(name).startswith(f"{httpserver.url_for(HEALTH)} gives no answer: ")


@pytest.fixture
def broker() -> Iterator[Callable[[bytes], tuple[int, list[bytes]]]]:
    """A broker that gives one answer to whatever it is received; returns its port and what it was received."""
    running: list[socketserver.ThreadingTCPServer] = []

    def start(answer: bytes) -> tuple[int, list[bytes]]:
        received: list[bytes] = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while words := self.request.recv(1000):
                    received.append(words)
                    self.request.sendall(answer)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1], received

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_worker_is_judged_by_its_broker_and_its_process(
    check: ModuleType,
    broker: Callable[[bytes], tuple[int, list[bytes]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check.of_worker() == "AIRFLOW_CELERY_BROKER_URL names no broker"
    port, received = broker(b"+PONG\r\n")
    monkeypatch.setenv("AIRFLOW_CELERY_BROKER_URL", f"redis://:p%40ss@127.0.0.1:{port}/0")
    assert check.of_worker() == "no Celery worker runs here"
    assert received == [b"*2\r\n$4\r\nAUTH\r\n$4\r\np@ss\r\n", b"*1\r\n$4\r\nPING\r\n"]
    monkeypatch.setattr(check, "is_worker", lambda path: path.parts[1] == "proc")
    assert check.of_worker() == ""
    assert check.main(["worker"]) == 0
    received.clear()
    monkeypatch.setenv("AIRFLOW_CELERY_BROKER_URL", f"redis://127.0.0.1:{port}/0")
    assert check.of_worker() == ""
    assert received == [b"*1\r\n$4\r\nPING\r\n"]
    port, _ = broker(b"-NOAUTH\r\n")
    monkeypatch.setenv("AIRFLOW_CELERY_BROKER_URL", f"redis://:x@127.0.0.1:{port}/0")
    assert check.of_worker() == "the broker refuses AUTH"
    monkeypatch.setenv("AIRFLOW_CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    assert check.of_worker().startswith("the broker 127.0.0.1 gives no answer: ")


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        (b"python\0celery\0worker\0--pid\0/p/.state/airflow/worker.pid\0", True),
        (b"[celery worker ] /p/.state/airflow/x", True),
        (b"celery\0worker\0--pid\0/q/.state/airflow/worker.pid\0", False),  # another project's
        (b"celery\0worker\0--pid\0/p/.state/airflow2/worker.pid\0", False),
        (b"celery\0beat\0--pid\0/p/.state/airflow/worker.pid\0", False),
        (b"", False),
    ],
)
def test_a_worker_is_one_of_this_project(check: ModuleType, tmp_path: Path, said: bytes, is_one: bool) -> None:  # noqa: FBT001
    (tmp_path / "cmdline").write_bytes(said)
    assert check.is_worker(tmp_path / "cmdline") is is_one
    assert not check.is_worker(tmp_path / "gone")
