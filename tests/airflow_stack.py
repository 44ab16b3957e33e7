"""A running Airflow of a checkout, asked as people and programs ask it."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from checkout import Checkout

UP = ("meltano", "invoke", "airflow:up")


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@dataclass
class Up:
    """One `airflow:up`, whose lines are kept."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)

    def wait_for(self, words: str) -> None:
        """Wait until it has said so."""

        def said() -> bool:
            assert self.process.poll() is None or any(words in line for line in self.lines), "".join(self.lines)
            return any(words in line for line in self.lines)

        wait_for(said, words)

    def kill(self, *, and_components: bool) -> None:
        """Kill it the hard way, at choice with the processes of Airflow below it; what those run is left alone."""
        doomed = [psutil.Process(self.process.pid)]
        doomed += [
            process
            for process in doomed[0].children(recursive=True)
            if and_components and not any("airflow_ext.keeper" in word for word in lineage(process))
        ]
        for process in doomed:
            process.kill()
        self.end()

    def end(self) -> None:
        """End it as a service manager would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        self._reader.join(120)  # what it has left ends too, and with it the pipe
        if self.process.stdout:
            self.process.stdout.close()


def lineage(process: psutil.Process) -> list[str]:
    """The command lines of a process and all above it."""
    found = []
    for one in (process, *process.parents()):
        try:
            found += one.cmdline()
        except psutil.Error:
            continue
    return found


@dataclass
class Airflow:
    """Airflow of a checkout."""

    project: Checkout
    ups: list[Up] = field(default_factory=list)

    def up(self, *arguments: str, until: str) -> Up:
        """Start it, and wait until it says so."""
        one = Up(self.project.start(*UP, *arguments))
        self.ups.append(one)
        one.wait_for(until)
        return one

    def api(self, path: str, body: object = None, method: str | None = None) -> dict[str, object]:
        """Ask the REST interface, as the administrator."""
        return self._fetch(f"/api/v2/{path}", body, method, {"Authorization": f"Bearer {self._token()}"})

    def _token(self) -> str:
        password = (self.project.root / ".state/airflow/admin-password").read_text().strip()
        return str(self._fetch("/auth/token", {"username": "admin", "password": password}, None, {})["access_token"])

    def page(self, path: str, *, logged_in: bool = True) -> tuple[int, str, str]:
        """Open a page as a browser does; returns status, address in the end and text."""
        headers = {}
        if logged_in:
            headers["Cookie"] = f"_token={self._token()}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.project.environ['AIRFLOW_PORT']}{path}", headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, str(error.url), error.read().decode()

    def _fetch(self, path: str, body: object, method: str | None, headers: dict[str, str]) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.project.environ['AIRFLOW_PORT']}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found: dict[str, object] = json.load(answer)
        return found

    def trigger(self, dag: str, **conf: object) -> str:
        """Start a run; returns the path of it in the REST interface."""
        self.api(f"dags/{dag}", {"is_paused": False}, "PATCH")
        run = self.api(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf}, "POST")["dag_run_id"]
        return f"dags/{dag}/dagRuns/{urllib.parse.quote(str(run))}"

    def tasks(self, run: str) -> list[dict[str, object]]:
        """The task instances of a run."""
        found: list[dict[str, object]] = self.api(f"{run}/taskInstances")["task_instances"]  # type: ignore[assignment]
        return found

    def wait_for_end(self, run: str, seconds: float = 600) -> str:
        """Wait until a run has ended; returns its state."""
        states: list[str] = []

        def ended() -> bool:
            states.append(str(self.api(run)["state"]))
            return states[-1] in {"success", "failed"}

        wait_for(ended, run, seconds)
        return states[-1]

    def task_log(self, run: str) -> str:
        """What the tasks of a run have logged."""
        name = urllib.parse.unquote(run.rsplit("/", 1)[-1])
        folder = self.project.root / ".state/airflow/logs"
        return "\n".join(
            path.read_text() for path in sorted(folder.rglob("*.log")) if f"run_id={name}" in str(path.parent)
        )


def secrets_of(project: Checkout) -> dict[str, str]:
    """Every secret that the checkout has, by where it stands."""
    found = json.loads((project.root / ".state/airflow/secrets.json").read_text())
    found["admin-password"] = (project.root / ".state/airflow/admin-password").read_text().strip()
    for line in (project.root / ".env").read_text().splitlines():
        if match := re.match(r"(\w+_PASSWORD)=['\"]?([^'\"]+)", line):
            found[match[1]] = match[2]
    assert len(found) > 6
    return {str(name): str(value) for name, value in found.items()}


def kill_group(process: "subprocess.Popen[str]") -> None:
    """End a process group that a test has left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
