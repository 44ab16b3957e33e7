"""A running Airflow of a checkout, asked as people and programs ask it."""

import json
import os
import re
import secrets
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from checkout import Checkout
from waiting import free_port, wait_for

UP = ("meltano", "invoke", "airflow:up")


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

    def components(self) -> list[psutil.Process]:
        """The processes of Airflow below it, without what those run."""
        return [
            process
            for process in psutil.Process(self.process.pid).children(recursive=True)
            if not any(is_of_a_task(word) for word in lineage(process))
        ]

    def stop(self) -> None:
        """Let its processes of Airflow stand still."""
        still = self.components()
        for process in still:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        wait_for(lambda: all(map(stands_still, still)), "its processes stand still")

    def kill(self, *, and_components: bool) -> None:
        """Kill it the hard way, at choice with the processes of Airflow below it; what those run is left alone."""
        doomed = [psutil.Process(self.process.pid), *(self.components() if and_components else [])]
        for process in doomed:
            process.kill()
        self.end()

    def end(self) -> None:
        """End it as a service manager would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(300)
        self._reader.join(300)  # what it has left ends too, and with it the pipe
        assert not self._reader.is_alive(), "a process that it has left holds its output"
        if self.process.stdout:
            self.process.stdout.close()


def is_of_a_task(word: str) -> bool:
    """Whether a word of a command line is that of a Meltano which a task runs."""
    return word.startswith("--run-id=") or word == "--discover"


def stands_still(process: psutil.Process) -> bool:
    """Whether a process is suspended, or gone."""
    try:
        return bool(process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE})
    except psutil.NoSuchProcess:
        return True


def lineage(process: psutil.Process) -> list[str]:
    """The command lines of a process and all above it."""
    found = []
    for one in (process, *process.parents()):
        try:
            found += one.cmdline()
        except psutil.Error:
            continue
    return found


class Api(ABC):
    """Airflow's API server, asked as the administrator."""

    @property
    @abstractmethod
    def port(self) -> str:
        """Its port of this machine."""

    @property
    @abstractmethod
    def password(self) -> str:
        """The administrator's."""

    def api(self, path: str, body: object = None, method: str | None = None) -> dict[str, object]:
        """Ask the REST interface, as the administrator."""
        return self._fetch(f"/api/v2/{path}", body, method, {"Authorization": f"Bearer {self._token()}"})

    def _token(self) -> str:
        login = {"username": "admin", "password": self.password}
        return str(self._fetch("/auth/token", login, None, {})["access_token"])

    def page(self, path: str, *, logged_in: bool = True) -> tuple[int, str, str]:
        """Open a page as a browser does; returns status, address in the end and text."""
        headers = {}
        if logged_in:
            headers["Cookie"] = f"_token={self._token()}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, str(error.url), error.read().decode()

    def _fetch(self, path: str, body: object, method: str | None, headers: dict[str, str]) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found: dict[str, object] = json.load(answer)
        return found

    def dags(self) -> dict[str, dict[str, object]]:
        """The DAGs by their names."""
        found: list[dict[str, object]] = self.api("dags?limit=100")["dags"]  # type: ignore[assignment]
        return {str(dag["dag_id"]): dag for dag in found}

    def switch_on(self, dag: str) -> None:
        """Let a DAG run by its clock, or by what it follows."""
        self.api(f"dags/{dag}", {"is_paused": False}, "PATCH")

    def ended(self, dag: str, kind: str) -> list[dict[str, object]]:
        """The runs of a DAG, of a kind, that have ended."""
        runs: list[dict[str, object]] = self.api(f"dags/{dag}/dagRuns")["dag_runs"]  # type: ignore[assignment]
        return [run for run in runs if run["run_type"] == kind and run["state"] in {"success", "failed"}]

    def trigger(self, dag: str, **conf: object) -> str:
        """Start a run; returns the path of it in the REST interface."""
        self.switch_on(dag)
        run = self.api(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf}, "POST")["dag_run_id"]
        return f"dags/{dag}/dagRuns/{urllib.parse.quote(str(run))}"

    def go_on(self, run: str) -> None:
        """Clear what failed in a run, and wait until that goes on."""
        again = {"dry_run": False, "dag_run_id": urllib.parse.unquote(run.rsplit("/", 1)[1])}
        self.api(f"{run.split('/dagRuns/', maxsplit=1)[0]}/clearTaskInstances", again, "POST")
        wait_for(lambda: self.api(run)["state"] not in {"success", "failed"}, "the run to go on")

    def tasks(self, run: str) -> list[dict[str, object]]:
        """The task instances of a run."""
        found: list[dict[str, object]] = self.api(f"{run}/taskInstances")["task_instances"]  # type: ignore[assignment]
        return found

    def wait_for_end(self, run: str, seconds: float = 1200) -> str:
        """Wait until a run has ended; returns its state."""
        states: list[str] = []

        def ended() -> bool:
            states.append(str(self.api(run)["state"]))
            return states[-1] in {"success", "failed"}

        wait_for(ended, run, seconds)
        return states[-1]


@dataclass
class Airflow(Api):
    """Airflow of a checkout."""

    project: Checkout
    ups: list[Up] = field(default_factory=list)

    @property
    def port(self) -> str:
        """As the checkout's commands have it."""
        return self.project.environ["AIRFLOW_PORT"]

    @property
    def password(self) -> str:
        """The one that was generated."""
        return (self.project.root / ".state/airflow/admin-password").read_text().strip()

    def up(self, *arguments: str, until: str) -> Up:
        """Start it, and wait until it says so."""
        one = Up(self.project.start(*UP, *arguments))
        self.ups.append(one)
        one.wait_for(until)
        return one

    def end(self) -> None:
        """End all that was started, the last one first."""
        for one in reversed(self.ups):
            one.end()
            kill_group(one.process)

    def trigger_as_documented(self, **conf: object) -> str:
        """Start a backfill by Airflow's own command; returns the path of its run in the REST interface."""
        words = ("meltano", "invoke", "airflow", "dags", "trigger", "backfill", "--output", "json", "--conf")
        (said,) = json.loads(self.project.run(*words, json.dumps(conf)).stdout.strip().splitlines()[-1])
        return f"dags/backfill/dagRuns/{urllib.parse.quote(said['dag_run_id'])}"

    def sources(self, method: str, what: str, body: object = None) -> dict[str, Any]:
        """Send the simulated sources something, or ask them."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.project.simulator()}/_simulator/{what}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        found: dict[str, Any] = json.loads(text or b"{}")
        return found

    def rows_loaded(self, run: str) -> int:
        """How many rows the tasks of a run say that they have loaded."""
        return rows_loaded(self.task_log(run))

    def task_log(self, run: str) -> str:
        """What the tasks of a run have logged."""
        name = urllib.parse.unquote(run.rsplit("/", 1)[-1])
        folder = self.project.root / ".state/airflow/logs"
        return "\n".join(
            path.read_text() for path in sorted(folder.rglob("*.log")) if f"run_id={name}" in str(path.parent)
        )


def rows_loaded(log: str) -> int:
    """How many rows a log says have been loaded."""
    return sum(int(number.replace(",", "")) for number in re.findall(r"\b([\d,]+) rows loaded\.", log))


@contextmanager
def redis() -> Iterator[str]:
    """Celery's broker, with a password; yields its address."""
    port, password = free_port(), secrets.token_hex(16)
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", password]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def use_celery(project: Checkout, broker: str, pools: dict[str, int]) -> None:
    """Let a checkout's Airflow hand tasks to workers, and Meltano's bookmarks be in the local PostgreSQL."""
    for name in [name for name in project.environ if name.startswith("AIRFLOW")]:
        del project.environ[name]
    lines = (project.root / ".env").read_text().splitlines()
    local = dict(line.split("=", 1) for line in lines if line.startswith("LOCAL_"))
    password, port = (local[name].strip("'\"") for name in ("LOCAL_AIRFLOW_PASSWORD", "LOCAL_WAREHOUSE_PORT"))
    server = f"postgresql+psycopg://airflow:{password}@127.0.0.1:{port}"
    project.run("warehouse", "psql", "--role", "admin", "-c", "create database meltano owner airflow")
    project.environ |= {
        "MELTANO_DATABASE_URI": f"{server}/meltano",
        "AIRFLOW_PORT": str(free_port()),
        "AIRFLOW_CORE_EXECUTOR": "CeleryExecutor",
        "AIRFLOW_CELERY_BROKER_URL": broker,
        "AIRFLOW_CELERY_RESULT_BACKEND": f"db+{server}/airflow",
        "AIRFLOW_POOLS": json.dumps(pools),
    }


def listening(up: Up) -> list[tuple[str, int]]:
    """Where an `airflow:up` and all below it listen."""
    found = []
    for process in psutil.Process(up.process.pid).children(recursive=True):
        try:
            connections = process.net_connections()
        except psutil.Error:
            continue
        found += [(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN]
    return found


def secrets_of(project: Checkout) -> dict[str, str]:
    """Every secret that the checkout has, by where it stands."""
    found = json.loads((project.root / ".state/airflow/secrets.json").read_text())
    found["admin-password"] = (project.root / ".state/airflow/admin-password").read_text().strip()
    for line in (project.root / ".env").read_text().splitlines():
        if match := re.match(r"(\w+_(?:PASSWORD|KEY))=['\"]?([^'\"]+)", line):
            found[match[1]] = match[2]
    assert len(found) > 6
    return {str(name): str(value) for name, value in found.items()}


def kill_group(process: "subprocess.Popen[str]") -> None:
    """End a process group that a test has left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
