"""The server as a process of its own: started, found again, ended."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final

from simulator.clock import CLOCK_FILE
from simulator.files import write_private
from simulator.processes import end, start_mark
from simulator.settings import SimulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simulator.settings import Settings

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
_READY_SECONDS: Final = 30.0
_HALF_DEAD_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 6.0  # longer than the server's own grace for open connections
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Record:
    """A server that runs, as kept in the state folder; `started` is the start mark of its process."""

    pid: int
    started: str
    port: int
    url: str
    parameters: dict[str, Any]


class StateFolder:
    """The state folder, made (0700) where absent: at most one server runs on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "simulator.log"
        self._record = path / "server.json"
        self._port = path / "port"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands of the same state folder waiting."""
        with (self.path / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def running(self) -> Record | None:
        """The server that the record names, if that very process still runs; what is left of a dead one is ignored."""
        try:
            content = json.loads(self._record.read_bytes())
            record = Record(**content)
            alive = start_mark(int(record.pid)) == record.started
        except (OSError, ValueError, TypeError):
            return None
        return record if alive else None

    def write(self, settings: Settings, pid: int, port: int) -> Record:
        """Record a server that was just started, and its port for the next one."""
        record = Record(pid, start_mark(pid) or "", port, f"http://{HOST}:{port}", settings.parameters())
        write_private(self._record, json.dumps(dataclasses.asdict(record), indent=1).encode())
        write_private(self._port, str(port).encode())
        return record

    def forget(self) -> None:
        """Remove the record."""
        self._record.unlink(missing_ok=True)

    def listen(self, port: int | None, host: str = HOST) -> socket.socket:
        """Open the port asked for, else the one of last time, else any free one.

        Raises:
            SimulatorError: The port asked for is taken.
        """
        if port is not None:
            return bind(port, host)
        with suppress(OSError, ValueError, SimulatorError, OverflowError):
            return bind(int(self._port.read_text()), host)
        return bind(0, host)

    def last_log_line(self) -> str:
        """The last line of the log."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].removeprefix("Error: ")
        return "it left no message."

    def clear(self) -> None:
        """Remove what outlives a server: the clock, the port, the log."""
        self.forget()
        for path in (self.path / CLOCK_FILE, self._port, self.log):
            path.unlink(missing_ok=True)


def start(
    folder: StateFolder, settings: Settings, flags: Sequence[str], port: int | None, *, restart: bool
) -> tuple[Record, bool]:
    """Have a server with these settings.

    Returns:
        The server's record, and whether it was started by this call.

    Raises:
        SimulatorError: Another world is being served, the port is taken, or the server did not come up.
    """
    with folder.locked():
        record = folder.running()
        if record is not None:
            answering = _wait(record, _HALF_DEAD_SECONDS)
            same = record.parameters == settings.parameters() and port in (None, record.port)
            if answering and same and not restart:
                return record, False
            if answering and not restart:
                raise SimulatorError(
                    f"A simulator with other parameters ({_differences(record, settings, port)}) runs at {record.url} "
                    "and was left alone; end it with `simulator stop`, or replace it with `simulator start --restart`."
                )
            _end(folder, record)
        return _spawn(folder, settings, flags, port), True


def stop(folder: StateFolder) -> Record | None:
    """End the recorded server.

    Returns:
        What was ended; None when nothing ran.

    Raises:
        SimulatorError: It could not be ended.
    """
    with folder.locked():
        record = folder.running()
        if record is not None:
            _end(folder, record)
        folder.forget()
        return record


def _spawn(folder: StateFolder, settings: Settings, flags: Sequence[str], port: int | None) -> Record:
    # The socket is opened here and handed over: no other program can take the port in between.
    with folder.listen(port) as listener, folder.log.open("wb") as log:
        folder.log.chmod(0o600)
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "simulator", "serve", *flags, "--inherited-socket", str(number)],
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(number,),
        )
        # At once, so that a start that is killed while it waits leaves no server that nobody knows.
        record = folder.write(settings, process.pid, listener.getsockname()[1])
    if _wait(record, _READY_SECONDS, process):
        return record
    died = process.poll() is not None
    process.kill()
    process.wait()
    folder.forget()
    if died:
        raise SimulatorError(f"The simulator did not start: {folder.last_log_line()}")
    raise SimulatorError(f"The simulator did not answer within {_READY_SECONDS:.0f} s; see its log {folder.log}.")


def _wait(record: Record, patience: float, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Wait until the very process of the record answers; False when it ends or the seconds run out."""
    deadline = time.monotonic() + patience
    while True:
        left = deadline - time.monotonic()
        with suppress(SimulatorError, KeyError):  # KeyError: a simulator of another version
            if ask(record.port, "/status", timeout=max(left, 0.1))["pid"] == record.pid:
                return True
        gone = process.poll() is not None if process else start_mark(record.pid) != record.started
        if gone or left <= 0:
            return False
        time.sleep(_POLL_SECONDS)


def _end(folder: StateFolder, record: Record) -> None:
    end(record.pid, record.started, _STOP_SECONDS)
    if start_mark(record.pid) == record.started:
        raise SimulatorError(f"The simulator (process {record.pid}) could not be ended; its record was kept.")
    folder.forget()


def _differences(record: Record, settings: Settings, port: int | None) -> str:
    wanted = settings.parameters()
    names = [name for name in wanted if record.parameters.get(name) != wanted[name]]
    if port not in (None, record.port):
        names.append("port")
    return ", ".join(names)


def ask(port: int, path: str, body: dict[str, object] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
    """Call the endpoint below `/_simulator`, straight on the loopback address whatever proxy the environment names.

    GET, or POST where there is a body; the timeout is in seconds.

    Raises:
        SimulatorError: No simulator answers, or it refuses; then it is its own sentence.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout)
    try:
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        connection.request(method, f"/_simulator{path}", content)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.headers.get("X-Data-Origin") != "simulator" or not isinstance(answer, dict):
            raise ValueError("another server")  # noqa: TRY301 - the same failure as no answer
    except (OSError, HTTPException, ValueError) as error:
        raise SimulatorError(f"No simulator answers on {HOST}:{port}; start one with `simulator start`.") from error
    finally:
        connection.close()
    if "error" in answer:
        raise SimulatorError(str(answer["error"]))
    return answer


def bind(port: int, host: str = HOST) -> socket.socket:
    """Open a listening socket on an IPv4 address (0.0.0.0 for all); port 0 is any free one.

    Raises:
        SimulatorError: Something else listens there, or the port may not be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port whose last connections still fade away can be bound again; one that is listened on cannot.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise SimulatorError(
            f"Port {port} on {host} {reason}; name another with --port, or leave --port out to get a free one."
        ) from error
    return listener
