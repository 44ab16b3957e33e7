"""Run the tests: `make test`, or all of them, `make test-all`. Standard library only: it makes the tests' environment.

`make test` runs lint, every test that is not marked `long`, and of the long ones one part, which the commit's hash
chooses, so that every part is run within some commits. At the end it prints what each group took, the slowest tests,
and the processor seconds of everything that was run, children and servers included.

    python3 tests/run_tests.py                  # make test
    python3 tests/run_tests.py --all            # make test-all
    python3 tests/run_tests.py --part=kills     # make test PART=kills
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
DEV = ROOT / ".venv-dev/bin"
REPORTS = ROOT / ".state/tests"
INTERPRETERS = ("py312", "py313")
# The long tests, by the name that `@pytest.mark.long(part=...)` gives; of about the same length.
PARTS = (
    "airflow-clock",
    "airflow-workers",
    "deployment",
    "first-week",
    "kills",
    "mutations",
    "plans",
    "retention",
    "other-projects",
    "compatibility",
    "upgrades",
    "packages",
    "tutorials",
    "unite",
    *INTERPRETERS,
)
# What runs on the other interpreters each time: packaging and command lines, and the SDK's own suites.
ON_EACH_INTERPRETER = (
    "extract/tap-blockchair/tests/test_conformance.py",
    "extract/tap-coingecko/tests/test_conformance.py",
    "extract/tap-coingecko/tests/test_cli.py",
    "load/target-postgres/tests/test_conformance.py",
    "load/target-postgres/tests/test_messages.py",
    "plugins/console/tests/test_bootstrap.py",
)
PACKAGES = ("analyze", "extract", "load", "orchestrate", "plugins", "benchmarks")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SLOWEST = 10


def chosen(commit: str) -> str:
    """The part of the long tests that a commit runs."""
    return PARTS[int(commit, 16) % len(PARTS)]


def adopt_orphans() -> bool:
    """Become the parent of servers that outlive what started them, so that their processor time is counted here.

    Returns:
        Whether this system can do so; elsewhere servers that are still running at the end are not counted.
    """
    if sys.platform != "linux":
        return False
    return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def processor_seconds() -> float:
    """What all that was run and has ended has used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    """Leave by an exception, so that what runs is ended first."""
    raise SystemExit(128 + number)


def call(command: list[str], environ: dict[str, str]) -> int:
    """Run a command and wait for it, and for orphans that end meanwhile; returns its exit status."""
    child = subprocess.Popen(command, cwd=ROOT, env=environ)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode


def run_or_end(command: list[str], environ: dict[str, str], patience: float = 30) -> int:
    """Run a command; when this process gets a signal to end, end the command and all that it started."""
    try:
        return call(command, environ)
    except (SystemExit, KeyboardInterrupt):
        for pid in orphans():
            os.kill(pid, signal.SIGTERM)
        end_orphans(patience)
        raise


def orphans() -> dict[int, str]:
    """What this process has inherited and still runs: command lines by process number."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == os.getpid() and state != "Z":
            found[int(stat.parent.name)] = words
    return found


def end_orphans(patience: float = 30) -> list[str]:
    """End what is still running after some seconds; returns the command lines."""
    deadline = time.monotonic() + patience
    while orphans() and time.monotonic() < deadline:
        time.sleep(0.2)
    left: dict[int, str] = {}
    while True:
        found = orphans()  # those of what was just ended among them
        left |= found
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return list(left.values())
        time.sleep(0.05)


def pytest(name: str, *arguments: str) -> list[str]:
    """A command that runs tests on both processors and writes a report in JUnit's form."""
    # One process more than processors, since tests wait for servers too. In the order of the files, the longest first:
    # what crosses packages, then the packages.
    spread = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    return [str(DEV / "pytest"), *spread, f"--junit-xml={REPORTS / name}.xml", *arguments]


def steps(part: str | None) -> list[tuple[str, list[str]]]:
    """What is run, by name: of the long tests one part, or all of them where it is None."""
    expression = "" if part is None else f"not long or long(part='{part}')"
    found = [
        ("environments", [sys.executable, "plugins/console/bootstrap.py", "--dev"]),
        ("lint", ["make", "--no-print-directory", "lint"]),
        ("tests", pytest("tests", "-m", expression, "tests", *PACKAGES)),
    ]
    for interpreter in INTERPRETERS:
        everything = part in {None, interpreter}
        report = f"--junit-xml={REPORTS / interpreter}.xml"
        tests = (
            ["-n", "3", "--dist", "loadfile", "-m", "not long", "analyze", "extract", "load", "plugins"]
            if everything
            else list(ON_EACH_INTERPRETER)
        )
        found.append((interpreter, [str(DEV / "tox"), "run", "--quiet", "-e", interpreter, "--", report, *tests]))
    return found


def environment() -> dict[str, str]:
    """The caller's, with the tests' programs, every Python of a version manager, and compiled Python kept."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    pythons = [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.1[23]*/bin"))]
    return environ | {"PATH": os.pathsep.join([str(DEV), *pythons, environ["PATH"]])}


def group_of(test: ET.Element) -> str:
    """The package of a test, or the file where it crosses packages."""
    words = test.get("classname", "").split(".")
    return "/".join(words[:2])


def report(took: list[tuple[str, float, float]]) -> None:
    """Print what each step and each group took, and the slowest tests."""
    print(f"\n{'step':<32}{'minutes':>9}{'processor s':>13}")
    for name, wall, processor in took:
        print(f"{name:<32}{wall / 60:>9.1f}{processor:>13.0f}")
    groups: dict[str, list[float]] = defaultdict(list)
    slowest = []
    for path in sorted(REPORTS.glob("*.xml")):
        for test in ET.parse(path).iter("testcase"):  # noqa: S314 - our own
            where = group_of(test) if path.stem == "tests" else path.stem
            groups[where].append(float(test.get("time", "0")))
            slowest.append((groups[where][-1], f"{test.get('classname')}::{test.get('name')}"))
    print(f"\n{'group':<52}{'tests':>7}{'minutes':>9}")
    for where, times in sorted(groups.items()):
        print(f"{where:<52}{len(times):>7}{sum(times) / 60:>9.2f}")
    print(f"\nslowest {SLOWEST} tests, with the fixtures they set up")
    for seconds, name in sorted(slowest, reverse=True)[:SLOWEST]:
        print(f"{seconds:>7.1f} s  {name}")


def main() -> int:
    """Run the steps until one fails; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--all", action="store_true", help="every test, on every interpreter")
    choice.add_argument("--part", choices=PARTS, help="the part of the long tests, in place of the commit's")
    given = parser.parse_args()
    part = None
    if not given.all:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        part = given.part or chosen(head.stdout.strip())
    print(f"long tests: {part or 'all'}", flush=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.glob("*.xml"):
        old.unlink()
    signal.signal(signal.SIGTERM, end_on_signal)
    counts_servers, environ = adopt_orphans(), environment()
    took, status, begun = [], 0, time.monotonic()
    for name, command in steps(part):
        started, used = time.monotonic(), processor_seconds()
        status = run_or_end(command, environ)
        took.append((name, time.monotonic() - started, processor_seconds() - used))
        if status:
            print(f"failed: {name}", file=sys.stderr)
            break
    left = end_orphans() if counts_servers else []
    report(took)
    minutes, used = (time.monotonic() - begun) / 60, processor_seconds()
    servers = "" if counts_servers else ", servers that outlived their starter not counted"
    print(f"\n{minutes:.1f} minutes, {used:.0f} processor seconds{servers}; JUnit: {REPORTS.relative_to(ROOT)}/*.xml")
    for words in left:
        print(f"left running, and ended now: {words}", file=sys.stderr)
    return status or bool(left)


if __name__ == "__main__":
    sys.exit(main())
