"""Airflow as a person runs it: initialise, start, look, stop; and what it says when it cannot."""

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from airflow_stack import UP, Airflow, free_port, secrets_of, wait_for
from checkout import Checkout

# Variables by which one Airflow would configure another.
FOREIGN = "AIRFLOW"


@pytest.fixture(scope="module")
def project(checkout: Checkout) -> Iterator[Checkout]:
    """A checkout with a server and the plugin, not initialised."""
    for name in [name for name in checkout.environ if name.startswith(FOREIGN)]:
        del checkout.environ[name]
    checkout.environ["AIRFLOW_PORT"] = str(free_port())
    checkout.make("doctor", check=False)
    checkout.run("warehouse", "start")
    checkout.run("meltano", "install", "utility", "airflow")
    yield checkout
    checkout.run("meltano", "invoke", "airflow:down", check=False)


@pytest.fixture(scope="module")
def ready(project: Checkout) -> Checkout:
    """The same, initialised."""
    project.run("meltano", "invoke", "airflow:initialize")
    return project


def processes(project: Checkout) -> set[int]:
    """What works in the checkout's folder, its servers aside."""
    found = set()
    for process in psutil.process_iter():
        try:
            folder, name = process.cwd(), process.name()
        except psutil.Error:
            continue
        if folder == str(project.root) and name not in {"postgres", "simulator"}:
            found.add(process.pid)
    return found


def follow(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what it prints until it says so."""
    said = []
    assert process.stdout
    for line in process.stdout:
        said.append(line)
        if words in line:
            return "".join(said)
    raise AssertionError("".join(said))


def test_nothing_works_before_initialize(project: Checkout) -> None:
    for command in (UP, ("meltano", "invoke", "airflow", "dags", "list")):
        done = project.run(*command, check=False)
        assert done.returncode == 1
        assert "Airflow is not initialised: run `meltano invoke airflow:initialize` first." in done.stderr


def test_initialize_makes_secrets_once(ready: Checkout) -> None:
    home = ready.root / ".state/airflow"
    secrets = home / "secrets.json"
    password = (home / "admin-password").read_text().strip()
    before = secrets.read_text()

    again = ready.run("meltano", "invoke", "airflow:initialize")

    assert secrets.read_text() == before
    assert all(len(value) > 40 for value in json.loads(before).values())
    for path in (secrets, home / "admin-password", *(home / "manifests").glob("*.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (home / "admin-password").read_text().strip() == password
    assert password not in again.stdout + again.stderr
    manifest = (home / "manifests/meltano-manifest.local.json").read_text()
    for secret in secrets_of(ready).values():
        assert secret not in manifest


def test_output_and_exit_status_arrive(ready: Checkout) -> None:
    pools = ready.run("meltano", "invoke", "airflow", "pools", "list", "-o", "json")
    slots = {pool["pool"]: pool["slots"] for pool in json.loads(pools.stdout)}
    assert slots | {"blockchair_api": "1", "dump_host": "1", "dbt": "1"} == slots
    wrong = ready.run("meltano", "invoke", "airflow", "no-such-command", check=False)
    assert wrong.returncode == 2
    assert "no-such-command" in wrong.stderr


def test_up_until_sigterm_and_at_once_again(ready: Checkout) -> None:
    before = processes(ready)
    first = ready.start(*UP)
    follow(first, "up: api-server, scheduler, dag-processor")

    # who may log in, and where it listens
    assert Airflow(ready).api("pools")["pools"]
    listening = [
        (connection.laddr.ip, connection.laddr.port)
        for number in processes(ready) - before
        for connection in psutil.Process(number).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {address for address, _ in listening} == {"127.0.0.1"}

    check = json.loads(ready.run("meltano", "invoke", "airflow:check", "--json").stdout)
    assert all(finding["ok"] for finding in check), check
    second = ready.run(*UP, check=False)
    assert second.returncode == 1
    assert "runs already" in second.stderr
    assert "airflow:down" in second.stderr

    # a component that dies is started again
    (scheduler,) = [
        p for p in map(psutil.Process, processes(ready) - before) if p.cmdline()[-2:] == leader("scheduler")
    ]
    scheduler.kill()
    assert "starting it again" in follow(first, "starting it again")

    # Meltano alone gets the signal, as from a service manager
    first.send_signal(signal.SIGTERM)
    third = ready.start(*UP, "--only", "api-server")
    follow(third, "Uvicorn running")
    first.communicate(timeout=120)

    # not even a kill of the supervisor leaves something behind
    os.killpg(third.pid, signal.SIGKILL)
    third.communicate(timeout=60)
    wait_for(lambda: processes(ready) <= before, "processes are left")


def leader(name: str) -> list[str]:
    """The end of the command line of a component's first process."""
    return {"scheduler": ["scheduler", "--skip-serve-logs"]}[name]


def test_a_schedule_that_is_added_is_compiled(ready: Checkout) -> None:
    manifest = ready.root / ".state/airflow/manifests/meltano-manifest.local.json"
    process = ready.start(*UP, "--only", "dag-processor")
    follow(process, "the project was compiled")
    ready.run("meltano", "schedule", "add", "extra", "--job", "crypto-elt", "--interval", "@daily")
    follow(process, "the project was compiled")
    assert "extra" in {schedule["name"] for schedule in json.loads(manifest.read_text())["schedules"]}
    # what cannot be read is said, and what was known stays
    file = ready.root / "meltano.yml"
    whole = file.read_text()
    file.write_text(whole + "\n  : [\n")
    assert "cannot be compiled" in follow(process, "the DAGs stay as they were")
    assert "extra" in manifest.read_text()
    assert (manifest.parent / "error.local.txt").read_text().startswith("The project cannot be compiled")
    file.write_text(whole)
    follow(process, "the project was compiled")
    assert not (manifest.parent / "error.local.txt").exists()
    done = ready.run("meltano", "invoke", "airflow:down")
    assert "stopped" in done.stderr
    process.communicate(timeout=60)


def test_a_port_that_is_taken_is_named(ready: Checkout) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(ready.environ["AIRFLOW_PORT"])))
        other.listen()
        done = ready.run(*UP, check=False)
    assert done.returncode == 1
    assert f"Port {ready.environ['AIRFLOW_PORT']} of 127.0.0.1 cannot be had" in done.stderr


def test_a_database_that_is_down_is_named(ready: Checkout) -> None:
    ready.run("warehouse", "stop")
    done = ready.run(*UP, check=False)
    assert done.returncode == 1
    assert "Airflow's database airflow at 127.0.0.1:" in done.stderr
    assert "does not answer" in done.stderr
    for secret in secrets_of(ready).values():
        assert secret not in done.stderr + done.stdout
