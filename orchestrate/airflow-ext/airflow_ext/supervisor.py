"""Runs Airflow's processes in the foreground, as one thing that is started and stopped.

Why none of the tools for it (tried with the scripts of tests/test_supervisor.py): supervisor 4.3, honcho 2.0 and
circus 0.19, when killed, leave the components running (test_a_killed_supervisor_takes_its_processes_along). What keeps
dying does not end supervisor and circus, and honcho restarts nothing (test_what_keeps_dying_ends_it_with_a_sentence).
None waits for the API server's answer before it starts the others (test_others_start_when_the_api_server_answers).
`airflow standalone` runs all components or none, without a worker (test_up_runs_what_the_executor_needs).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_ext.errors import AirflowExtError
from airflow_ext.health import reported_health

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import FrameType

    from airflow_ext.settings import Settings

COMPONENTS = ("api-server", "scheduler", "dag-processor", "worker")
_HEALTHY_SECONDS = 180.0
_PATIENCE_SECONDS = 20.0
_DEATHS = 3
_DEATHS_WITHIN_SECONDS = 300.0
_POLL_SECONDS = 0.2


@dataclass
class Component:
    """One process of Airflow, in a process group of its own.

    Attributes:
        name: One of `COMPONENTS`.
        command: Program and arguments.
        pid_file: A file that would keep it from starting. Its name has this process's number, which after a container
            was killed and started again is the same, while the number in the file is another process's by then.
    """

    name: str
    command: list[str]
    pid_file: Path | None = None
    process: subprocess.Popen[str] | None = None
    died: list[float] = field(default_factory=list)

    def start(self, environ: Mapping[str, str], show: Callable[[str, str], None]) -> None:
        """Start it; what it prints is shown under its name."""
        if self.pid_file is not None:
            self.pid_file.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow_ext.process_group", str(_PATIENCE_SECONDS), *self.command],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )

        def show_lines() -> None:
            for line in process.stdout or ():
                show(self.name, line.rstrip("\n"))

        threading.Thread(target=show_lines, name=self.name, daemon=True).start()
        self.process = process

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and all that it started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


def component(name: str, settings: Settings, environ: Mapping[str, str]) -> Component:
    """What to run for a component; none serves its logs on all interfaces, as they would by default."""
    concurrency = environ.get("AIRFLOW_EXT_WORKER_CONCURRENCY") or "2"
    host = f"{socket.gethostname()}-{os.getpid()}"
    pid_file = settings.home / f"worker-{host}.pid"
    arguments = {
        "api-server": ["api-server", "--host", settings.host, "--port", str(settings.port)],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
        "worker": [
            *("celery", "worker", "--skip-serve-logs", "--concurrency", concurrency),
            *("--celery-hostname", f"worker@{host}", "--pid", str(pid_file)),
        ],
    }
    return Component(name, [settings.airflow, *arguments[name]], pid_file if name == "worker" else None)


def check_port(settings: Settings) -> None:
    """Make sure that the API server can bind its port.

    Raises:
        AirflowExtError: Somebody else has it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            raise AirflowExtError(
                f"Port {settings.port} of {settings.host} cannot be had ({error.strerror}): if it is an earlier "
                "`airflow:up`, end it with `meltano invoke airflow:down`; else name another port in AIRFLOW_PORT."
            ) from None


class Supervisor:
    """Starts components in order, starts again what dies, and ends them all."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        names: tuple[str, ...],
        log: Callable[[str], None],
        stopping: Callable[[], None],
    ) -> None:
        self._settings, self._environ, self._log, self._note = settings, environ, log, stopping
        self._components = [component(name, settings, environ) for name in COMPONENTS if name in names]
        self._parent = os.getppid()
        self._stop_requested = False

    @property
    def _stopping(self) -> bool:
        """Whether a signal came, or Meltano above is gone, which may have been killed."""
        return self._stop_requested or os.getppid() != self._parent

    def run(self) -> None:
        """Run until a signal, or until a component keeps dying.

        Raises:
            AirflowExtError: A component ended too often, or the API server did not get healthy.
        """
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        try:
            for one in self._components:
                if self._stopping:
                    return
                one.start(self._environ, self._show)
                if one.name == "api-server" and len(self._components) > 1:
                    # Tasks report to it: those that start before it answers would fail.
                    self._await_health(one)
            if not self._stopping:
                self._log(f"up: {', '.join(one.name for one in self._components)}")
                if self._components[0].name == "api-server":
                    self._log(f"the UI is at {self._settings.base_url}")
            while not self._stopping:
                self._restart_dead()
                time.sleep(_POLL_SECONDS)
        finally:
            self._end()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True

    def _show(self, name: str, line: str) -> None:
        print(f"{name:13} | {line}", flush=True)  # noqa: T201 - a supervisor's output is what it supervises

    def _await_health(self, one: Component) -> None:
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not self._stopping and reported_health(self._settings.local_url) is None:
            if one.process is not None and one.process.poll() is not None:
                raise AirflowExtError(
                    f"The API server ended with status {one.process.returncode}; see its lines above."
                )
            if time.monotonic() > deadline:
                raise AirflowExtError(
                    f"The API server does not answer after {_HEALTHY_SECONDS:.0f} s; see its lines above."
                )
            time.sleep(_POLL_SECONDS)

    def _restart_dead(self) -> None:
        for one in self._components:
            if one.process is None or one.process.poll() is None:
                continue
            now = time.monotonic()
            one.died = [*(then for then in one.died if now - then < _DEATHS_WITHIN_SECONDS), now]
            if len(one.died) >= _DEATHS:
                raise AirflowExtError(
                    f"The {one.name} ended {_DEATHS} times in {_DEATHS_WITHIN_SECONDS / 60:.0f} minutes, the last time "
                    f"with status {one.process.returncode}; see its lines above. Everything was stopped."
                )
            self._log(f"the {one.name} ended with status {one.process.returncode}; starting it again")
            one.signal_group(signal.SIGKILL)  # what it left
            self._pause(2.0 ** len(one.died))
            if not self._stopping:
                one.start(self._environ, self._show)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _end(self) -> None:
        """The API server last, since tasks that are ended still report to it."""
        self._note()
        for group in ([one for one in self._components if one.name != "api-server"], self._components):
            for one in group:
                one.signal_group(signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            for one in group:
                if one.process is None:
                    continue
                try:
                    one.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._log(f"the {one.name} does not end; it is killed")
                one.signal_group(signal.SIGKILL)
                one.process.wait()
        self._log("stopped")
