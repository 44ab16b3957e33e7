"""What `make test` runs, counts and reports."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import run_tests
from checkout import PROJECT, working_tree

# A parent that ends at once, and a child of it that works on, as a server does.
BUSY = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
WAITING = "import time; time.sleep(600)"
ORPHAN = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BUSY!r}], start_new_session=True)"


def in_a_run(code: str) -> str:
    """Run code as the run itself would; what it prints."""
    script = f"import sys, time\nsys.path.insert(0, {str(PROJECT / 'tests')!r})\nfrom run_tests import *\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_commit_chooses_a_part_and_every_part_is_chosen_by_some() -> None:
    assert run_tests.chosen("0" * 40) == run_tests.PARTS[0]
    assert run_tests.chosen("0" * 39 + "1") == run_tests.PARTS[1]
    assert {run_tests.chosen(f"{number:040x}") for number in range(len(run_tests.PARTS))} == set(run_tests.PARTS)


def test_every_long_test_is_of_a_part_and_every_part_has_some() -> None:
    texts = [(PROJECT / name).read_text() for name in working_tree("*/test_*.py")]
    assert len(texts) > 100
    marked = set(re.findall(r"mark\.long\(part=\"([a-z-]+)\"\)", "\n".join(texts)))
    assert marked == set(run_tests.PARTS) - set(run_tests.INTERPRETERS)


@pytest.mark.parametrize("part", run_tests.PARTS)
def test_a_run_takes_one_part_of_the_long_tests(part: str) -> None:
    commands = dict(run_tests.steps(part))
    assert f"not long or long(part='{part}')" in commands["tests"]
    whole = {name for name in run_tests.INTERPRETERS if "plugins" in commands[name]}
    assert whole == {part} & set(run_tests.INTERPRETERS)
    for name in set(run_tests.INTERPRETERS) - whole:
        files = [word for word in commands[name] if word.endswith(".py")]
        assert len(files) > 4
        assert [file for file in files if not (PROJECT / file).is_file()] == []


def test_the_long_run_leaves_nothing_out() -> None:
    commands = dict(run_tests.steps(None))
    assert commands["tests"][commands["tests"].index("-m") + 1] == ""
    assert all("plugins" in commands[name] for name in run_tests.INTERPRETERS)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_processor_seconds_of_a_server_that_outlives_its_starter_are_counted() -> None:
    wait = "call([sys.executable, '-c', 'import time; time.sleep(3)'], dict(os.environ))"
    said = in_a_run(
        f"assert adopt_orphans()\ncall([sys.executable, '-c', {ORPHAN!r}], dict(os.environ))\n"
        f"while processor_seconds() < 1: {wait}\nprint('counted')"
    )
    assert said == "counted"


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_what_is_left_running_is_named_and_ended() -> None:
    left = ORPHAN.replace("time.process_time() + 1", "1e9")
    said = in_a_run(
        f"adopt_orphans()\ncall([sys.executable, '-c', {left!r}], dict(os.environ))\nprint(*end_orphans(0))"
    )
    assert "process_time" in said
    assert said.count("import time") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_what_that_leaves_in_turn_is_ended_too_and_what_ends_by_itself_is_not_named() -> None:
    nested = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {WAITING!r}]); {WAITING}"
    left = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {nested!r}])"
    short = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(2)'])"
    assert (
        in_a_run(f"adopt_orphans()\ncall([sys.executable, '-c', {short!r}], dict(os.environ))\nprint(end_orphans())")
        == "[]"
    )
    said = in_a_run(
        f"adopt_orphans()\ncall([sys.executable, '-c', {left!r}], dict(os.environ))\nprint(len(end_orphans(1)))"
    )
    assert said == "2"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_run_that_is_told_to_end_leaves_nothing(number: signal.Signals, status: int) -> None:
    """Neither the command, which is asked first, nor what it has started, which does not hear of it."""
    asked = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), sys.exit()))"
    starting = (
        f"import subprocess; below = subprocess.Popen([sys.executable, '-c', {WAITING!r}], start_new_session=True)"
    )
    command = f"{asked}\n{starting}\nprint(below.pid, flush=True)\n{WAITING}"
    script = (
        f"import os, signal, sys\nsys.path.insert(0, {str(PROJECT / 'tests')!r})\nfrom run_tests import *\n"
        "signal.signal(signal.SIGTERM, end_on_signal)\nadopt_orphans()\n"
        f"run_or_end([sys.executable, '-c', {command!r}], dict(os.environ), 0.2)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        below = int(process.stdout.readline())
        process.send_signal(number)
        assert process.stdout.readline() == "asked\n"
        assert process.wait(120) == status
    assert not psutil.pid_exists(below)


def test_the_exit_status_of_a_command_is_its_own() -> None:
    assert in_a_run("print(call([sys.executable, '-c', 'import sys; sys.exit(7)'], dict(os.environ)))") == "7"


def test_the_report_shows_groups_and_the_slowest_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = "".join(
        f'<testcase classname="extract.tap-x.tests.test_{n}" name="test_it" time="{n}"/>' for n in range(1, 13)
    )
    (tmp_path / "tests.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    monkeypatch.setattr(run_tests, "REPORTS", tmp_path)
    run_tests.report([("lint", 60.0, 90.0)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("lint")] == [["lint", "1.0", "90"]]
    assert [line.split() for line in lines if line.startswith("extract/tap-x")] == [["extract/tap-x", "12", "1.30"]]
    slowest = [line for line in lines if line.endswith("::test_it")]
    assert [line.split()[0] for line in slowest] == [f"{n}.0" for n in range(12, 2, -1)]
