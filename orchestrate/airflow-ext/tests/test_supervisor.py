"""The supervisor's processes: they end with it, and one that keeps dying ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from airflow_ext import registry
from airflow_ext.errors import AirflowExtError
from airflow_ext.registry import note_stopping, registered, stop_all, supervisors
from airflow_ext.settings import Settings, read_settings
from airflow_ext.supervisor import COMPONENTS, Component, Supervisor, check_port, component

from .processes import DEADLINE_SECONDS, alive, until

SUPERVISE = """
import os, sys
from airflow_ext.settings import read_settings
from airflow_ext.supervisor import Supervisor
def say(line): print(line, flush=True)
settings = read_settings(os.environ)
one = Supervisor(settings, os.environ, ("scheduler",), say, lambda: say("stopping"))
one._components[0].command = sys.argv[1:]
one._pause = lambda seconds: None
try:
    one.run()
except Exception as error:
    sys.exit(str(error))
"""


@contextmanager
def supervising(
    tmp_path: Path, *command: str, above: Sequence[str] = (sys.executable,)
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """A supervisor of one component, and what it has said so far; it is ended at the latest with the block."""
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            [*above, "-c", SUPERVISE, *command],
            env=os.environ | {"MELTANO_PROJECT_ROOT": str(tmp_path)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, said.read_text
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)


def child_of(process: "subprocess.Popen[bytes]", said: Callable[[], str]) -> int:
    """The number that the component says after the word `child`."""
    until(lambda: re.search(r"child \d+\n", said()) or process.poll() is not None, "the component's first line")
    found = re.search(r"child (\d+)\n", said())
    assert found, said()
    return int(found[1])


def test_sigterm_ends_the_whole_group(tmp_path: Path) -> None:
    with supervising(tmp_path, "/bin/sh", "-c", "sleep 600 & echo child $!; wait") as (process, said):
        child = child_of(process, said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert said().endswith("stopping\nstopped\n")
        until(lambda: not alive(child), "the end of what the component had started")


def test_a_killed_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    script = 'trap "exit" TERM; echo child $$; while :; do sleep 0.1; done'
    with supervising(tmp_path, "/bin/sh", "-c", script) as (process, said):
        child = child_of(process, said)
        process.kill()
        process.wait(DEADLINE_SECONDS)
        until(lambda: not alive(child), "the end of the component")


def test_a_supervisor_whose_parent_is_gone_ends_with_its_processes(tmp_path: Path) -> None:
    """As when Meltano, which has started it, is killed."""
    script = 'trap "exit" TERM; echo child $$; while :; do sleep 0.1; done'
    start = "import subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]]).wait()"
    with supervising(tmp_path, "/bin/sh", "-c", script, above=[sys.executable, "-c", start]) as (process, said):
        child = child_of(process, said)
        process.kill()
        process.wait(DEADLINE_SECONDS)
        until(lambda: said().endswith("stopped\n"), "the supervisor's last word")
        assert not alive(child)


def test_what_keeps_dying_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with supervising(tmp_path, "/bin/sh", "-c", "exit 7") as (process, said):
        assert process.wait(DEADLINE_SECONDS) == 1
        assert said().count("the scheduler ended with status 7; starting it again") == 2
        assert "The scheduler ended 3 times in 5 minutes, the last time with status 7; see its lines above." in said()


def test_a_second_one_is_refused_and_the_first_is_found(tmp_path: Path) -> None:
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    with registered(settings, ("scheduler", "worker")):
        assert [process.pid for process in supervisors(settings)] == [os.getpid()]
        with pytest.raises(AirflowExtError, match=f"process {os.getpid()}"), registered(settings, ("scheduler",)):
            pass
        with registered(settings, ("worker", "dag-processor")):  # workers run beside each other
            pass
        note_stopping(settings, ("scheduler",))
    with registered(settings, ("scheduler",)):
        pass


def test_down_stops_by_the_process_that_was_recorded(tmp_path: Path) -> None:
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    assert stop_all(settings) == 0
    with registered(settings, ("scheduler",)):
        pass
    mark = settings.home / "up/scheduler.json"
    # the same number, another process
    mark.write_text(mark.read_text().replace('"created": ', '"created": 1'))
    assert supervisors(settings) == []
    assert stop_all(settings) == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        # Two may bind a port as long as neither listens.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = str(other.getsockname()[1])
        settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_EXT_PORT": port})
        check_port(settings)
        other.listen()
        with pytest.raises(AirflowExtError, match=f"Port {port} of 127.0.0.1"):
            check_port(settings)


def named(tmp_path: Path, **stated: str) -> Settings:
    return read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)} | stated)


def test_what_is_run_for_each_component(tmp_path: Path) -> None:
    settings = named(tmp_path, AIRFLOW_EXT_HOST="127.0.0.2", AIRFLOW_EXT_PORT="6000")
    made = {name: component(name, settings, {"AIRFLOW_EXT_WORKER_CONCURRENCY": "3"}) for name in COMPONENTS}
    assert {one.command[0] for one in made.values()} == {settings.airflow}
    words = {name: " ".join(one.command[1:]) for name, one in made.items()}
    host = f"{socket.gethostname()}-{os.getpid()}"
    pid_file = settings.home / f"worker-{host}.pid"
    assert words == {
        "api-server": "api-server --host 127.0.0.2 --port 6000",
        "scheduler": "scheduler --skip-serve-logs",
        "dag-processor": "dag-processor",
        "worker": f"celery worker --skip-serve-logs --concurrency 3 --celery-hostname worker@{host} --pid {pid_file}",
    }
    assert [name for name, one in made.items() if one.pid_file] == ["worker"]
    assert "--concurrency 2" in " ".join(component("worker", settings, {}).command)


def test_components_start_in_order_whatever_order_they_are_named_in(tmp_path: Path) -> None:
    one = Supervisor(named(tmp_path), {}, ("worker", "scheduler", "api-server"), print, lambda: None)
    assert [each.name for each in one._components] == ["api-server", "scheduler", "worker"]


class Fake(Component):
    """A component whose process is a stand-in; notes what is done to it."""

    def __init__(self, name: str, log: list[str], status: int | None = None) -> None:
        super().__init__(name, [])
        self.log, self.status = log, status

    def start(self, environ: Mapping[str, str], show: Callable[[str, str], None]) -> None:
        self.log.append(f"start {self.name}")
        self.process = SimpleNamespace(poll=lambda: self.status, returncode=self.status, wait=self._wait)  # type: ignore[assignment]

    def _wait(self, timeout: float | None = None) -> None:
        self.log.append(f"wait {self.name}")
        if timeout is not None and self.status is None:
            self.status = -9
            raise subprocess.TimeoutExpired("it", timeout)

    def signal_group(self, number: int) -> None:
        self.log.append(f"{signal.Signals(number).name} {self.name}")


def supervisor(tmp_path: Path, *components: Fake) -> tuple[Supervisor, list[str]]:
    said: list[str] = []
    settings = named(tmp_path, AIRFLOW_EXT_PORT="1")
    one = Supervisor(settings, {}, ("scheduler",), said.append, lambda: said.append("noted"))
    one._components = list(components)
    return one, said


def test_the_api_server_ends_last_since_tasks_report_to_it(tmp_path: Path) -> None:
    log: list[str] = []
    fakes = [Fake(name, log, status=0) for name in ("api-server", "scheduler")]
    one, said = supervisor(tmp_path, *fakes)
    for fake in fakes:
        fake.start({}, lambda *_: None)
    log.clear()
    one._end()
    assert log[:2] == ["SIGTERM scheduler", "wait scheduler"]
    assert "SIGTERM api-server" in log[2:]
    assert log.index("SIGKILL scheduler") < log.index("SIGTERM api-server") < log.index("SIGKILL api-server")
    assert said == ["noted", "stopped"]


def test_what_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ext.supervisor._PATIENCE_SECONDS", 0.0)
    log: list[str] = []
    stubborn, never_started = Fake("scheduler", log), Fake("dag-processor", log)
    one, said = supervisor(tmp_path, stubborn, never_started)
    stubborn.start({}, lambda *_: None)
    one._end()
    assert said == ["noted", "the scheduler does not end; it is killed", "stopped"]
    assert "SIGKILL scheduler" in log
    assert "wait dag-processor" not in log


def test_others_start_when_the_api_server_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ext.supervisor._POLL_SECONDS", 0.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    log: list[str] = []
    one, said = supervisor(tmp_path, Fake("api-server", log), Fake("scheduler", log))
    answers = iter([None, None, {}])

    def answer(address: str) -> dict[str, object] | None:
        log.append(f"asked {address}")
        return next(answers)

    monkeypatch.setattr("airflow_ext.supervisor.reported_health", answer)
    monkeypatch.setattr(one, "_restart_dead", lambda: one._ask_to_stop(15, None))
    monkeypatch.setattr(one, "_end", lambda: log.append("end"))
    one.run()
    assert log == ["start api-server", *["asked http://127.0.0.1:1"] * 3, "start scheduler", "end"]
    assert said == ["up: api-server, scheduler", "the UI is at http://127.0.0.1:1"]
    # alone, nobody waits for its answer
    log.clear()
    alone, said = supervisor(tmp_path, Fake("api-server", log))
    monkeypatch.setattr(alone, "_restart_dead", lambda: alone._ask_to_stop(15, None))
    alone.run()
    assert not [line for line in log if line.startswith("asked")]
    assert said[0] == "up: api-server"


def test_an_api_server_that_ends_or_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ext.supervisor._POLL_SECONDS", 0.0)
    dead, mute = Fake("api-server", [], status=3), Fake("api-server", [])
    one, _ = supervisor(tmp_path, dead)
    for fake in (dead, mute):
        fake.start({}, lambda *_: None)
    with pytest.raises(AirflowExtError, match="The API server ended with status 3"):
        one._await_health(dead)
    monkeypatch.setattr("airflow_ext.supervisor._HEALTHY_SECONDS", 0.0)
    with pytest.raises(AirflowExtError, match="The API server does not answer after 0 s"):
        one._await_health(mute)
    one._ask_to_stop(15, None)
    one._await_health(mute)


def test_deaths_of_five_minutes_count_and_pauses_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    fake = Fake("scheduler", log, status=1)
    one, _ = supervisor(tmp_path, fake)
    clock = [1000.0]
    monkeypatch.setattr("airflow_ext.supervisor.time", SimpleNamespace(monotonic=lambda: clock[0]))
    paused: list[float] = []
    monkeypatch.setattr(one, "_pause", paused.append)
    fake.start({}, lambda *_: None)
    log.clear()
    for wait in (0, 299, 2):  # the third finds the first one gone
        clock[0] += wait
        one._restart_dead()
    assert paused == [2.0, 4.0, 4.0]
    assert log == ["SIGKILL scheduler", "start scheduler"] * 3
    clock[0] += 290
    with pytest.raises(AirflowExtError, match="ended 3 times in 5 minutes"):
        one._restart_dead()
    # what lives is left alone, and what is to stop meanwhile is not started again
    fake.died.clear()
    log.clear()
    one._ask_to_stop(15, None)
    one._restart_dead()
    assert log == ["SIGKILL scheduler"]
    fake.process = SimpleNamespace(poll=lambda: None)  # type: ignore[assignment]
    log.clear()
    one._restart_dead()
    assert log == []


def test_an_ending_one_is_waited_for_and_a_running_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = named(tmp_path)
    monkeypatch.setattr("airflow_ext.registry._POLL_SECONDS", 0.0)
    with ExitStack() as first:
        first.enter_context(registered(settings, ("scheduler",)))
        note_stopping(settings, ("worker", "scheduler"))
        asked: list[object] = []
        reading = registry._read

        def read(*given: Any) -> dict[str, Any]:  # noqa: ANN401
            asked.append(given)
            found = reading(*given)
            if len(asked) == 3:
                first.close()  # now it has ended
            return found

        monkeypatch.setattr(registry, "_read", read)
        with registered(settings, ("scheduler",)):
            assert len(asked) == 3
            monkeypatch.setattr(registry, "_read", reading)
            mark = registry._read(settings, "scheduler")
            assert (mark["pid"], mark["stopping"], mark["host"]) == (os.getpid(), False, socket.gethostname())


def test_one_that_does_not_end_in_a_minute_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = named(tmp_path)
    monkeypatch.setattr("airflow_ext.registry._PATIENCE_SECONDS", 0.0)
    with registered(settings, ("scheduler",)):
        note_stopping(settings, ("scheduler",))
        expected = f"The scheduler runs already .process {os.getpid()}.; end it with `meltano invoke airflow:down`\\.$"
        with pytest.raises(AirflowExtError, match=expected), registered(settings, ("scheduler",)):
            pass
        (settings.home / "up/scheduler.json").write_text("{")
        with pytest.raises(AirflowExtError, match="process unknown"), registered(settings, ("scheduler",)):
            pass


def test_down_ends_each_process_once_and_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = named(tmp_path)
    program = (
        "import sys, time; from pathlib import Path; from airflow_ext.registry import registered\n"
        "from airflow_ext.settings import read_settings\n"
        "with registered(read_settings({'MELTANO_PROJECT_ROOT': sys.argv[1]}), ('scheduler', 'dag-processor')):\n"
        "    Path(sys.argv[1], 'ready').touch(); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as process:
        try:
            until((tmp_path / "ready").exists, "the other process")
            assert [one.pid for one in supervisors(settings)] == [process.pid]
            assert stop_all(settings) == 1
            assert not alive(process.pid)
            assert stop_all(settings) == 0
        finally:
            process.kill()
    stubborn = SimpleNamespace(pid=77, terminate=lambda: None)
    monkeypatch.setattr(registry, "supervisors", lambda _settings: [stubborn])
    monkeypatch.setattr(psutil, "wait_procs", lambda given, **_: ([], given))
    with pytest.raises(AirflowExtError, match="Process 77 does not end"):
        stop_all(settings)


def test_a_record_of_another_container_names_no_process_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers share the folder; the number in a record is that of somebody else here."""
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    here = socket.gethostname()
    with registered(settings, ("scheduler",)):
        assert [process.pid for process in supervisors(settings)] == [os.getpid()]
        monkeypatch.setattr(socket, "gethostname", lambda: f"not-{here}")
        assert supervisors(settings) == []
        note_stopping(settings, ("scheduler",))
        expected = f"process {os.getpid()} of {here}.*airflow:down` there"
        with pytest.raises(AirflowExtError, match=expected), registered(settings, ("scheduler",)):
            pass


def test_a_workers_file_of_before_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """After a container was killed and started again, the file has the number of a process that lives."""
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    worker = component("worker", settings, {})
    assert worker.pid_file
    assert worker.command[-2:] == ["--pid", str(worker.pid_file)]
    worker.pid_file.parent.mkdir(parents=True)
    worker.pid_file.write_text(str(os.getppid()))
    worker.command = [sys.executable, "-c", "import sys, os; sys.exit(os.path.exists(sys.argv[1]))", worker.command[-1]]
    worker.start(os.environ, lambda _name, _line: None)
    assert worker.process
    assert worker.process.stdout
    with worker.process.stdout:
        assert worker.process.wait(DEADLINE_SECONDS) == 0
