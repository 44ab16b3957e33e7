"""The command's life cycle, with real processes."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from simulator.processes import start_mark

SMALL = ("--days", "2", "--blocks-per-day", "2", "--transactions-per-block", "2")


class Project:
    """A project folder in which the command is run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".state/simulator"
        self.env_file = root / ".env"
        (root / "meltano.yml").touch()

    def run(self, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None) -> str:
        """Run the command to its end; its output and, for a failure, what it says."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIMULATOR_", "MELTANO_"))}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "simulator", *arguments],
            cwd=self.root,
            env={**kept, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == code, done.stdout + done.stderr
        if code in (1, 2):
            assert done.stderr.startswith("Error: ")
            assert done.stderr.count("\n") == 1
            return done.stderr
        assert done.stderr == ""
        return done.stdout

    def start(self, *arguments: str) -> str:
        """Start a small world."""
        return self.run("start", *SMALL, *arguments)

    def status(self) -> Any:
        """What the running server says."""
        return json.loads(self.run("status", "--json"))

    @property
    def record(self) -> Any:
        """The record of the running server."""
        return json.loads((self.state / "server.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project whose simulator is ended after the test."""
    project = Project(tmp_path)
    yield project
    project.run("stop")


def wait_until(condition: Callable[[], object], never: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, never
        time.sleep(0.01)


def answers(url: str) -> bool:
    """Whether something listens at a URL."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/_simulator/status")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_start_leaves_a_server_that_answers_and_its_address_in_env(project: Project) -> None:
    project.env_file.write_bytes(b"SECRET=1\r\n")
    assert "started" in project.start()
    record = project.record
    assert answers(record["url"])
    assert record["url"] == f"http://127.0.0.1:{record['port']}"
    assert os.getsid(record["pid"]) == record["pid"]
    assert (project.state / "server.json").stat().st_mode & 0o777 == 0o600
    assert (project.root / ".state").stat().st_mode & 0o777 == 0o700
    assert project.state.stat().st_mode & 0o777 == 0o700
    assert project.env_file.read_bytes() == (
        b"SECRET=1\r\n# >>> simulator (written by `simulator start`) >>>\n"
        b"LOCAL_SIMULATOR_URL=%s\n# <<< simulator <<<\n" % record["url"].encode()
    )


def test_a_second_start_says_so_and_changes_nothing(project: Project) -> None:
    project.start()
    record = project.record
    assert "already running" in project.start()
    assert project.record == record


def test_other_parameters_are_refused_until_restart(project: Project) -> None:
    project.start()
    record = project.record
    said = project.run("start", *SMALL, "--seed", "2", code=1)
    assert "(seed)" in said
    assert "simulator stop" in said
    assert "--restart" in said
    assert project.record == record
    project.start("--seed", "2", "--restart")
    assert start_mark(record["pid"]) is None
    assert project.status()["parameters"]["seed"] == 2
    assert project.record["port"] == record["port"]


def test_coingeckos_options_reach_the_server(project: Project) -> None:
    given = ("--coingecko-keys", "CG-a,CG-b:basic:5", "--coingecko-limits", "plan", "--coingecko-per-minute", "7")
    project.start(*given, "--coingecko-credits", "9", "--quirks", "coingecko-extra-keys")
    parameters = project.status()["parameters"]
    assert parameters["coingecko_keys"] == ["CG-a", "CG-b:basic:5"]
    assert (parameters["coingecko_limits"], parameters["coingecko_per_minute"]) == ("plan", 7)
    assert (parameters["coingecko_credits"], parameters["quirks"]) == (9, ["coingecko-extra-keys"])


def test_stop_leaves_no_process_and_can_be_repeated(project: Project) -> None:
    project.start()
    record = project.record
    assert "ended" in project.run("stop")
    assert start_mark(record["pid"]) is None
    assert not answers(record["url"])
    assert not (project.state / "server.json").exists()
    assert "No simulator" in project.run("stop")


def test_status_distinguishes_running_from_not_running(project: Project) -> None:
    assert json.loads(project.run("status", "--json", code=3)) == {"running": False}
    assert "simulator start" in project.run("status", code=3)
    project.start()
    status = project.status()
    assert status["running"] is True
    assert status["url"] == project.record["url"]
    assert status["now"] == "2025-01-03T06:00:00+00:00"
    assert status["parameters"]["blocks_per_day"] == 2
    assert "2025-01-03T06:00:00" in project.run("status")


def test_the_clock_advances_and_survives_a_stop(project: Project) -> None:
    project.start()
    assert "2025-01-04T06:00:00" in project.run("advance")
    assert "2025-01-06T06:00:00" in project.run("advance", "2")
    project.run("stop")
    assert "No simulator" in project.run("advance", code=1)
    project.start()
    assert project.status()["now"] == "2025-01-06T06:00:00+00:00"
    assert "2025-01-07T12:30:00" in project.run("advance", "--to", "2025-01-07T12:30")
    assert "forward" in project.run("advance", "--to", "2025-01-01", code=1)
    project.run("advance", "1", "--to", "2025-02-01", code=2)
    assert project.status()["now"] == "2025-01-07T12:30:00+00:00"


def test_reset_ends_it_and_forgets_the_clock(project: Project) -> None:
    project.start()
    project.run("advance")
    pid = project.record["pid"]
    project.run("reset")
    assert start_mark(pid) is None
    assert [path.name for path in project.state.iterdir()] == ["lock"]
    project.start()
    assert project.status()["now"] == "2025-01-03T06:00:00+00:00"


def test_a_killed_server_is_replaced_on_its_port(project: Project) -> None:
    project.start()
    record = project.record
    os.kill(record["pid"], signal.SIGKILL)
    wait_until(lambda: start_mark(record["pid"]) is None, "the server that was killed does not end")
    project.run("status", code=3)
    assert "started" in project.start()
    assert project.record["pid"] != record["pid"]
    assert project.record["port"] == record["port"]


@pytest.mark.parametrize("content", ["", "{", '{"pid": "x", "started": 1}'])
def test_a_corrupt_record_heals(project: Project, content: str) -> None:
    project.state.mkdir(parents=True)
    (project.state / "server.json").write_text(content)
    (project.state / "port").write_text("999999" if content else "none")
    project.run("status", code=3)
    assert "started" in project.start()
    assert answers(project.record["url"])


def test_a_recycled_process_number_is_never_killed(project: Project) -> None:
    project.start()
    record = project.record
    project.run("stop")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (project.state / "server.json").write_text(json.dumps({**record, "pid": stranger.pid}))
        project.run("status", code=3)
        project.run("stop")
        assert stranger.poll() is None
        assert "started" in project.start()
        assert stranger.poll() is None
        stranger.communicate(b"\n", timeout=90)


def test_a_server_that_no_longer_answers_is_replaced(project: Project) -> None:
    project.start()
    pid = project.record["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert "started" in project.start()
    assert start_mark(pid) is None
    assert answers(project.record["url"])


def test_a_start_killed_while_it_waits_leaves_a_known_server(project: Project) -> None:
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-P", "-m", "simulator", "start", *SMALL], cwd=project.root)
        try:
            wait_until((project.state / "server.json").exists, "no server begins")
        finally:
            process.kill()
        if process.wait(90) == -signal.SIGKILL:
            break
        project.run("stop")  # it had come to its end before it was killed
    else:
        pytest.fail("it always ends before it is killed")
    pid = project.record["pid"]
    project.start()
    assert project.record["pid"] == pid
    assert project.env_file.exists()


def test_a_taken_port_is_refused_when_asked_for_and_avoided_when_remembered(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = project.run("start", *SMALL, "--port", str(port), code=1)
        assert f"Port {port}" in said
        assert "--port" in said
        assert not (project.state / "server.json").exists()
        project.state.mkdir(parents=True, exist_ok=True)
        (project.state / "port").write_text(str(port))
        project.start()
        assert project.record["port"] != port


def test_a_port_asked_for_is_used(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    project.start("--port", str(port))
    assert project.record["port"] == port
    assert "(port)" in project.run("start", *SMALL, "--port", str(port % 60000 + 1024), code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--days", "0"), 1, "days"),
        (("--days", "many"), 2, "--days"),
        (("--chains", "nocoin"), 1, "chains"),
        (("--start", "1.1.2025"), 2, "--start"),
        (("--now", "noon"), 2, "--now"),
        (("--prices-dir", "absent"), 1, "prices_dir"),
        (("--prices-dir", "."), 1, "prices_dir"),
    ],
)
def test_a_bad_setting_is_one_sentence(project: Project, arguments: tuple[str, ...], code: int, named: str) -> None:
    assert named in project.run("start", *arguments, code=code)
    project.run("status", code=3)


def test_settings_come_from_the_environment_too(project: Project) -> None:
    world = {
        "SIMULATOR_SEED": "7",
        "SIMULATOR_START": "2024-05-01",
        "SIMULATOR_CHAINS": "bitcoin,dogecoin",
        "SIMULATOR_NOW": "2024-05-20T01:02",
        "SIMULATOR_STATE_DIR": str(project.root / "elsewhere"),
        "SIMULATOR_DUMPS_DIR": "",
    }
    project.run("start", *SMALL, "--no-env-file", environment=world)
    project.state = project.root / "elsewhere"
    parameters = project.record["parameters"]
    project.run("stop", environment=world)
    assert (parameters["seed"], parameters["start"], parameters["now"]) == (
        7,
        "2024-05-01",
        "2024-05-20T01:02:00+00:00",
    )
    assert parameters["chains"] == ["bitcoin", "dogecoin"]
    assert not project.env_file.exists()


def test_the_project_may_be_named_by_meltano(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = Project.__new__(Project)
    elsewhere.root = tmp_path_factory.mktemp("elsewhere")
    assert "MELTANO_PROJECT_ROOT" in elsewhere.run("start", code=1)
    elsewhere.run("start", *SMALL, "--env-file", "own.env", environment={"MELTANO_PROJECT_ROOT": str(project.root)})
    url = project.record["url"]
    assert f"LOCAL_SIMULATOR_URL={url}\n" in (elsewhere.root / "own.env").read_text()
    assert not project.env_file.exists()


def test_serve_runs_in_the_foreground_until_interrupted(project: Project) -> None:
    command = [sys.executable, "-P", "-m", "simulator", "serve", *SMALL]
    with subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 90)[0], "it does not say where it serves"
            assert "http://127.0.0.1:" in process.stdout.readline()
            wait_until(lambda: answers(project.record["url"]), "it does not answer where it says")
            assert project.status()["pid"] == process.pid
            assert "already runs" in project.run("serve", *SMALL, code=1)
            assert "2025-01-04" in project.run("advance")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)
            assert process.returncode in (0, 130)
        finally:
            process.kill()
    project.run("status", code=3)
    assert not (project.state / "server.json").exists()
