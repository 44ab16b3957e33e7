"""The supervisor's processes: they end with it, and one that keeps dying ends it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.running import note_stopping, registered, stop_all, supervisors
from airflow_ext.settings import read_settings
from airflow_ext.supervisor import check_port, component

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


def supervise(tmp_path: Path, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, *command],
        env=os.environ | {"MELTANO_PROJECT_ROOT": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def child_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout
    for line in process.stdout:
        if "child" in line:
            return int(line.split()[-1])
    raise AssertionError("it said nothing")


def ended(number: int) -> bool:
    deadline = time.monotonic() + 60
    while psutil.pid_exists(number):
        if psutil.Process(number).status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_sigterm_ends_the_whole_group(tmp_path: Path) -> None:
    process = supervise(tmp_path, "/bin/sh", "-c", "sleep 300 & echo child $!; wait")
    child = child_of(process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert "stopping" in said
    assert ended(child)


def test_a_killed_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    process = supervise(
        tmp_path, "/bin/sh", "-c", 'trap "kill $(jobs -p); exit" TERM; echo child $$; while :; do sleep 0.1; done'
    )
    child = child_of(process)
    process.kill()
    process.communicate(timeout=60)
    assert ended(child)


def test_what_keeps_dying_ends_it_with_a_sentence(tmp_path: Path) -> None:
    process = supervise(tmp_path, "/bin/sh", "-c", "exit 7")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "The scheduler ended 3 times" in said
    assert "with status 7" in said


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
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_EXT_PORT": port})
        with pytest.raises(AirflowExtError, match=f"Port {port} of 127.0.0.1"):
            check_port(settings)
    check_port(settings)


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
        assert worker.process.wait(60) == 0
