"""The server as a process of its own: started, found again, ended."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.client import ask
from simulator.clock import CLOCK_FILE
from simulator.failures import SimulatorError
from simulator.files import write_private
from simulator.processes import end, start_mark
from simulator.sockets import HOST, bind

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simulator.settings import Settings

_READY_SECONDS: Final = 30.0
_HALF_DEAD_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 6.0  # longer than the server's own grace for open connections
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Record:
    """A server that runs, as kept in the state folder.

    Attributes:
        pid: Its process.
        started: The start mark of that process.
        port: Its port on the loopback address.
        url: Where it answers, without a trailing slash.
        parameters: What its world was made from.
    """

    pid: int
    started: str
    port: int
    url: str
    parameters: dict[str, Any]


class Home:
    """The state folder: at most one server lives in it.

    Args:
        folder: Made (0700) where absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "simulator.log"
        self._record = folder / "server.json"
        self._port = folder / "port"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands of the same state folder waiting."""
        with (self.folder / "lock").open("w") as stream:
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

        Args:
            port: The port asked for.
            host: The address.

        Raises:
            SimulatorError: The port asked for is taken.
        """
        if port is not None:
            return bind(port, host)
        with suppress(OSError, ValueError, SimulatorError, OverflowError):
            return bind(int(self._port.read_text()), host)
        return bind(0, host)

    def last_words(self) -> str:
        """The last line of the log."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].removeprefix("Error: ")
        return "it left no message."

    def clear(self) -> None:
        """Remove what outlives a server: the clock, the port, the log."""
        self.forget()
        for path in (self.folder / CLOCK_FILE, self._port, self.log):
            path.unlink(missing_ok=True)


def start(
    home: Home, settings: Settings, flags: Sequence[str], port: int | None, *, restart: bool
) -> tuple[Record, bool]:
    """Have a server with these settings.

    Args:
        home: Its state folder.
        settings: Its world.
        flags: The same settings as arguments of `simulator serve`.
        port: The port it must have; None for any.
        restart: Whether a server with other settings is replaced.

    Returns:
        The server's record, and whether it was started by this call.

    Raises:
        SimulatorError: Another world is being served, the port is taken, or the server did not come up.
    """
    with home.alone():
        record = home.running()
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
            _end(home, record)
        return _spawn(home, settings, flags, port), True


def stop(home: Home) -> Record | None:
    """End the recorded server.

    Returns:
        What was ended; None when nothing ran.

    Raises:
        SimulatorError: It could not be ended.
    """
    with home.alone():
        record = home.running()
        if record is not None:
            _end(home, record)
        home.forget()
        return record


def _spawn(home: Home, settings: Settings, flags: Sequence[str], port: int | None) -> Record:
    # The socket is opened here and handed over: no other program can take the port in between.
    with home.listen(port) as listener, home.log.open("wb") as log:
        home.log.chmod(0o600)
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "simulator", "serve", *flags, "--inherited-socket", str(number)],
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(number,),
        )
        # At once, so that a start that is killed while it waits leaves no server that nobody knows.
        record = home.write(settings, process.pid, listener.getsockname()[1])
    if _wait(record, _READY_SECONDS, process):
        return record
    died = process.poll() is not None
    process.kill()
    process.wait()
    home.forget()
    if died:
        raise SimulatorError(f"The simulator did not start: {home.last_words()}")
    raise SimulatorError(f"The simulator did not answer within {_READY_SECONDS:.0f} s; see its log {home.log}.")


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


def _end(home: Home, record: Record) -> None:
    end(record.pid, record.started, _STOP_SECONDS)
    if start_mark(record.pid) == record.started:
        raise SimulatorError(f"The simulator (process {record.pid}) could not be ended; its record was kept.")
    home.forget()


def _differences(record: Record, settings: Settings, port: int | None) -> str:
    wanted = settings.parameters()
    names = [name for name in wanted if record.parameters.get(name) != wanted[name]]
    if port not in (None, record.port):
        names.append("port")
    return ", ".join(names)
