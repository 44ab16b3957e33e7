"""Run a command and say what it took: seconds, client CPU, memory of the whole process tree."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from loader_speed.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAMPLE_SECONDS = 0.2
_FIRST_SAMPLE_SECONDS = 0.05
_LOOK_MILLISECONDS = 2
_LOG_LINES = 8
_PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """What a command took."""

    seconds: float  # from start to exit
    cpu_seconds: float  # user and system time of the command and all its children; the server's is not in it
    peak_mb: float  # largest memory (RSS, 10^6 bytes) of the process tree at one time
    programs: dict[str, float] = field(default_factory=dict)  # the same of each program asked for
    step_seconds: float | None = None  # from the first read of its input to its exit; None if it was not fed


def run(  # noqa: PLR0913 - each is one of a process's own
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Path,
    stdin: Path | None = None,
    fed: bool = False,
    stdout: Path | None = None,
    cwd: Path | None = None,
    programs: Sequence[str] = (),
) -> Usage:
    """Run a command to its end, in just that environment; what it prints goes to the log.

    Args:
        command: Program and arguments.
        environ: Its whole environment.
        log: File for what it prints.
        stdin: What it reads; else nothing.
        fed: Whether that is passed to it by a pipe once it reads, so that `step_seconds` can be measured.
        stdout: File for its output; else the log.
        cwd: Where it runs.
        programs: Names of programs below it whose memory is measured for each.

    Raises:
        BenchError: It failed; the text ends with the last lines of the log.
    """
    with (
        log.open("ab") as logged,
        (stdin or Path(os.devnull)).open("rb") as source,
        (stdout or log).open("wb" if stdout else "ab") as sink,
    ):
        started = ready = time.monotonic()
        given = subprocess.PIPE if fed else source
        try:
            child = subprocess.Popen(command, stdin=given, stdout=sink, stderr=logged, env=dict(environ), cwd=cwd)
        except OSError as error:
            raise BenchError(f"{command[0]} could not be started: {error}.") from error
        watch = _Watch(child.pid, programs)
        try:
            if child.stdin is not None:
                ready = _feed(child.stdin, source.read())
            _, status, used = os.wait4(child.pid, 0)
            ended = time.monotonic()
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            watch.stop()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise _failure(command, child.returncode, log)
    # Where there is no /proc: the largest process, which may be this one before it became the command.
    peak = watch.peak or used.ru_maxrss * 1024
    programs_mb = {name: size / 1e6 for name, size in watch.programs.items()}
    step = ended - ready if fed else None
    return Usage(ended - started, used.ru_utime + used.ru_stime, peak / 1e6, programs_mb, step)


def _failure(command: Sequence[str], status: int, log: Path) -> BenchError:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    shown = "\n".join(f"  {line[:300]}" for line in lines)
    return BenchError(f"{' '.join(command)[:200]} failed with status {status}:\n{shown}")


def _feed(pipe: IO[bytes], content: bytes) -> float:
    """Write a command's input; returns when the command, which may take long to start, was seen to read.

    It is given one byte before, and a moment later the kernel says that nothing is left of it in the pipe.
    """
    unread, gone = bytearray(4), select.poll()
    gone.register(pipe, 0)  # no event is asked for: an end of the pipe that was closed is reported anyway
    with suppress(BrokenPipeError), pipe:  # a command that has failed has a status
        pipe.write(content[:1])
        pipe.flush()
        while fcntl.ioctl(pipe, termios.FIONREAD, unread) == 0 and any(unread) and not gone.poll(_LOOK_MILLISECONDS):
            pass
        ready = time.monotonic()
        pipe.write(content[1:])
        return ready
    return time.monotonic()


class _Watch(threading.Thread):
    """Looks at a process tree a few times a second, where there is a /proc."""

    def __init__(self, pid: int, programs: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.programs = dict.fromkeys(programs, 0)
        self._pid = pid
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        """Sample until `stop`."""
        pause = _FIRST_SAMPLE_SECONDS
        while not self._end.wait(pause):
            pause = _SAMPLE_SECONDS
            now = dict.fromkeys(self.programs, 0)
            together = self._measure(self._pid, _children(), None, now)
            self.peak = max(self.peak, together)
            for name, size in now.items():
                self.programs[name] = max(self.programs[name], size)

    def stop(self) -> None:
        """End sampling."""
        self._end.set()
        self.join()

    def _measure(self, pid: int, children: Mapping[int, list[int]], part_of: str | None, now: dict[str, int]) -> int:
        """Add up a process and those below it, in bytes; `now` takes the programs' shares."""
        folder = _PROC / str(pid)
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")[:2]
            own = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            largest = _largest(folder)
        except (OSError, IndexError, ValueError):  # it has just ended, or there is no /proc
            return 0
        self.peak = max(self.peak, largest)
        for word in words:  # an interpreter and its script
            name = Path(word.decode(errors="replace")).name
            part_of = name if name in now else part_of
        if part_of is not None:
            now[part_of] = max(now[part_of] + own, largest)
        return own + sum(self._measure(child, children, part_of, now) for child in children.get(pid, ()))


def _children() -> dict[int, list[int]]:
    """Which processes each process has started."""
    found: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def _largest(folder: Path) -> int:
    """The largest size that one process ever had, in bytes: what happens between two samples is not lost."""
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
