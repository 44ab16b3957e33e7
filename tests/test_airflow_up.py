"""Airflow as a person runs it by docs/guides/airflow.md: initialise, start, run by the clock, look, stop."""

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml

from airflow_stack import UP, Airflow, is_of_a_task, secrets_of
from browser import browser
from checkout import PROJECT, Checkout
from waiting import free_port, wait_for

pytestmark = [pytest.mark.long(part="airflow-clock"), pytest.mark.timeout(3600)]
# Variables by which one Airflow would configure another.
FOREIGN = "AIRFLOW"
WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "2",
    "TAP_BLOCKCHAIR_START_DATE": "2025-01-30",
}
CHAINS = ("bitcoin", "dogecoin", "ethereum")
Names = tuple[set[str], dict[str, str]]
INITIALIZE = ("meltano", "invoke", "airflow:initialize")


def documented() -> list[tuple[str, ...]]:
    """The commands that docs/guides/airflow.md begins with."""
    block = re.search(r"## From nothing.*?```\n(.*?)```", (PROJECT / "docs/guides/airflow.md").read_text(), re.DOTALL)
    assert block
    return [tuple(shlex.split(line, comments=True)) for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def project(checkout: Checkout) -> Iterator[Checkout]:
    """A checkout with servers and plugins, not initialised."""
    for name in [name for name in checkout.environ if name.startswith(FOREIGN)]:
        del checkout.environ[name]
    checkout.environ |= WORLD | {"AIRFLOW_PORT": str(free_port())}
    checkout.make("doctor", check=False)
    *steps, initialize, up = documented()
    assert (initialize, up) == (INITIALIZE, UP)
    assert re.findall(r"bin/(meltano install [a-z -]+[a-z])", (PROJECT / "Dockerfile").read_text()) == [
        " ".join([*steps[-1], "dashboard"])  # a service of its own
    ]
    for step in steps:
        checkout.run(*step)
    yield checkout
    checkout.run("meltano", "invoke", "airflow:down", check=False)


@pytest.fixture(scope="module")
def ready(project: Checkout) -> Checkout:
    """The same, initialised."""
    project.run(*INITIALIZE)
    return project


@pytest.fixture(scope="module")
def quiet(ready: Checkout) -> set[int]:
    """What works in the checkout's folder before Airflow does."""
    return processes(ready)


@pytest.fixture(scope="module")
def shipped(ready: Checkout) -> str:
    """The project's file."""
    return (ready.root / "meltano.yml").read_text()


@pytest.fixture(scope="module")
def names(shipped: str) -> Names:
    """Its jobs, and its schedules with the job of each."""
    said = yaml.safe_load(shipped)
    schedules = {one["name"]: one["job"] for one in said["schedules"]}
    assert set(schedules) >= {"market-hourly", "tip-hourly", "dumps-daily", "marts-daily", "maintenance-weekly"}
    return {one["name"] for one in said["jobs"]}, schedules


@pytest.fixture(scope="module")
def airflow(ready: Checkout, quiet: set[int], shipped: str) -> Iterator[Airflow]:
    """Airflow, started in a project without a schedule."""
    (ready.root / "meltano.yml").write_text(shipped.split("\nschedules:", maxsplit=1)[0] + "\n")
    stack = Airflow(ready)
    try:
        stack.up(until="the UI is at")
        yield stack
    finally:
        stack.end()


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


def task_processes(project: Checkout, before: set[int]) -> list[psutil.Process]:
    """The Meltano of each task that runs there."""
    found = []
    for number in processes(project) - before:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(number)
            if any(map(is_of_a_task, process.cmdline())):
                found.append(process)
    return found


def refused(project: Checkout, *command: str) -> str:
    """Run what cannot be done; returns the one sentence that says so."""
    done = project.run(*command, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    said = [line for line in done.stderr.splitlines() if "Error: " in line]
    assert len(said) == 1, done.stderr
    return said[0]


def wrong_findings(project: Checkout) -> dict[str, str]:
    """What `airflow:check` finds wrong, by its name."""
    done = project.run("meltano", "invoke", "airflow:check", "--json", check=False)
    found = {finding["what"]: finding["says"] for finding in json.loads(done.stdout) if finding["ok"] is False}
    assert done.returncode == bool(found)
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


def run_by_itself(airflow: Airflow, dag: str, kind: str) -> object:
    """Switch a DAG on, and wait for its first run, which nobody triggers; returns its state."""
    airflow.switch_on(dag)
    wait_for(lambda: airflow.ended(dag, kind), f"a run of {dag}", 1200)
    (run,) = airflow.ended(dag, kind)
    return run["state"]


class TestAirflow:
    """One story, in order, of one Airflow: before it is initialised, while it runs, after it was stopped."""

    def test_nothing_works_before_initialize(self, project: Checkout) -> None:
        for command in (UP, ("meltano", "invoke", "airflow", "dags", "list")):
            said = refused(project, *command)
            assert "Airflow is not initialised: run `meltano invoke airflow:initialize` first." in said
        assert "initialize" in wrong_findings(project)["secrets"]

    def test_initialize_makes_secrets_once(self, ready: Checkout) -> None:
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

    def test_a_new_password_is_made_on_request(self, ready: Checkout) -> None:
        """The API server lets in by it further below."""
        file = ready.root / ".state/airflow/admin-password"
        before = file.read_text()
        ready.run("meltano", "invoke", "airflow:create-admin", "--new-password")
        assert file.read_text() != before
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_output_and_exit_status_arrive(self, ready: Checkout) -> None:
        pools = ready.run("meltano", "invoke", "airflow", "pools", "list", "-o", "json")
        slots = {pool["pool"]: pool["slots"] for pool in json.loads(pools.stdout)}
        assert slots | {"blockchair_api": "1", "dump_host": "1", "dbt": "1"} == slots
        wrong = ready.run("meltano", "invoke", "airflow", "no-such-command", check=False)
        assert wrong.returncode == 2
        assert "no-such-command" in wrong.stderr
        value = ready.run("meltano", "invoke", "airflow", "config", "get-value", "core", "parallelism")
        assert value.stdout.strip() == "4"

    def test_a_signal_reaches_airflows_own_command(self, ready: Checkout, quiet: set[int]) -> None:
        process = ready.start("meltano", "invoke", "airflow", "api-server", "--host", "127.0.0.1")
        follow(process, "Uvicorn running")
        process.terminate()  # Meltano alone
        process.communicate(timeout=300)
        assert process.returncode == 0
        wait_for(lambda: processes(ready) <= quiet, "every process has ended")

    def test_it_listens_on_loopback_and_finds_itself_right(self, airflow: Airflow, quiet: set[int]) -> None:
        assert airflow.api("pools")["pools"]
        listening = [
            (connection.laddr.ip, connection.laddr.port)
            for number in processes(airflow.project) - quiet
            for connection in psutil.Process(number).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {address for address, _ in listening} == {"127.0.0.1"}
        command = ("meltano", "invoke", "airflow:check", "--json")
        # the DAG processor has its first heartbeat later than the API server answers
        wait_for(lambda: airflow.project.run(*command, check=False).returncode == 0, "all that is checked is well")
        check = json.loads(airflow.project.run(*command).stdout)
        assert {"UI's address", "tasks' address", "API server", "scheduler"} < {finding["what"] for finding in check}
        home = airflow.project.root / ".state/airflow"
        assert not list(home.glob("*.cfg")), "Airflow wrote a file of its defaults"

    def test_a_second_one_is_refused(self, airflow: Airflow) -> None:
        said = refused(airflow.project, *UP)
        assert "runs already" in said
        assert "airflow:down" in said

    def test_without_schedules_every_job_waits_for_somebody(self, airflow: Airflow, names: Names) -> None:
        wait_for(lambda: set(airflow.dags()) == names[0] | {"backfill"}, "a DAG for each job")
        assert {dag["timetable_summary"] for dag in airflow.dags().values()} == {None}

    def test_one_schedule_that_is_added_is_there(self, airflow: Airflow, names: Names) -> None:
        command = ("meltano", "schedule", "add", "nightly", "--job", "tip-to-warehouse", "--interval", "30 3 * * *")
        airflow.project.run(*command)
        expected = names[0] - {"tip-to-warehouse"} | {"backfill", "nightly"}
        wait_for(lambda: set(airflow.dags()) == expected, "the DAG of the schedule in place of its job's")
        assert airflow.dags()["nightly"]["timetable_summary"] == "30 3 * * *"

    def test_a_broken_schedule_fails_with_a_sentence_beside_the_good_ones(
        self, airflow: Airflow, shipped: str, names: Names
    ) -> None:
        """The schedules shipped, of which the marts follow the loads, and one of a job that is none."""
        recipe = re.search(
            r"```yaml\n(- name: marts-daily\n.*?)```", (PROJECT / "docs/guides/schedules.md").read_text(), re.DOTALL
        )
        assert recipe
        marts_daily = r"- name: marts-daily\n.*?(?=- name: maintenance-weekly)"
        edited = re.sub(marts_daily, recipe[1], shipped, flags=re.DOTALL)
        (airflow.project.root / "meltano.yml").write_text(edited)
        airflow.project.run("meltano", "schedule", "add", "wrong", "--job", "nowhere", "--interval", "@daily")
        jobs, schedules = names
        expected = jobs - set(schedules.values()) | set(schedules) | {"backfill", "wrong"}
        wait_for(lambda: set(airflow.dags()) == expected, "a DAG for each schedule")
        tags = {name: {tag["name"] for tag in dag["tags"]} for name, dag in airflow.dags().items()}  # type: ignore[attr-defined]
        assert [name for name, found in tags.items() if "broken" in found] == ["wrong"]
        wait_for(lambda: airflow.ended("wrong", "scheduled"), "its one run")
        (run,) = airflow.ended("wrong", "scheduled")
        assert run["state"] == "failed"
        log = airflow.task_log(f"x/{run['dag_run_id']}")
        assert "Schedule wrong cannot be run: the job nowhere does not exist" in log

    def test_a_component_that_dies_is_started_again(self, airflow: Airflow, quiet: set[int]) -> None:
        (scheduler,) = [
            process
            for process in map(psutil.Process, processes(airflow.project) - quiet)
            if process.cmdline()[-2:] == ["scheduler", "--skip-serve-logs"]
        ]
        scheduler.kill()
        airflow.ups[0].wait_for("the scheduler ended with status -9; starting it again")

    def test_dumps_and_tip_are_loaded_by_the_clock_and_the_marts_follow(self, airflow: Airflow) -> None:
        """On the LocalExecutor, into a warehouse in which nothing was built before."""
        channels = " union all ".join(f"select '{chain}', _channel from raw_data.{chain}_blocks" for chain in CHAINS)  # noqa: S608
        loaded = f"select chain, _channel, count(*) from ({channels}) as t (chain, _channel) group by 1, 2"  # noqa: S608
        dumps = {(chain, "dumps", 18) for chain in CHAINS}

        assert run_by_itself(airflow, "dumps-daily", "scheduled") == "success"
        assert set(airflow.project.sql(loaded)) == dumps
        assert not airflow.ended("marts-daily", "asset_triggered"), "it is not switched on yet"

        airflow.switch_on("marts-daily")
        assert run_by_itself(airflow, "tip-hourly", "scheduled") == "success"
        above = set(airflow.project.sql(loaded)) - dumps
        assert {(chain, channel) for chain, channel, _ in above} == {(chain, "api") for chain in CHAINS}

        assert run_by_itself(airflow, "marts-daily", "asset_triggered") == "success"
        (run,) = airflow.ended("marts-daily", "asset_triggered")
        name = urllib.parse.quote(str(run["dag_run_id"]))
        events = airflow.api(f"dags/marts-daily/dagRuns/{name}/upstreamAssetEvents")["asset_events"]
        # its run is for all that was loaded since the last one
        assert {event["source_dag_id"] for event in events} == {"dumps-daily", "tip-hourly"}  # type: ignore[attr-defined]
        blocks = airflow.project.sql("select chain, count(*) from analytics.fct_blocks group by 1", role="bi_reader")
        assert set(blocks) == {(chain, 18 + count) for chain, _, count in above}  # type: ignore[operator]

    def test_the_grid_of_a_finished_run_is_seen_by_who_has_logged_in(self, airflow: Airflow, tmp_path: Path) -> None:
        """By a browser, which finds all it needs on this machine; PICTURES names a folder that keeps what it shows."""
        (run,) = airflow.ended("marts-daily", "asset_triggered")
        name = urllib.parse.quote(str(run["dag_run_id"]))
        picture = Path(os.environ.get("PICTURES", tmp_path)) / "airflow-run.png"
        asked: list[str] = []
        with browser() as page:
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"http://127.0.0.1:{airflow.port}/dags/marts-daily/runs/{name}")
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", airflow.password)
            page.press("input[name=password]", "Enter")
            for text in ("dbt-postgres:checks", "dbt-postgres_build", "3 Task Instances", "Success", "Asset Triggered"):
                page.get_by_text(text).first.wait_for()
            page.screenshot(path=picture)
        where = [urllib.parse.urlsplit(address) for address in asked]
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert len(where) > 20
        assert {one.hostname for one in where if one.scheme not in {"data", "blob"}} == {"127.0.0.1"}

    def test_sigterm_while_a_task_runs_leaves_nothing_and_the_next_one_works_at_once(
        self, airflow: Airflow, quiet: set[int]
    ) -> None:
        project, first = airflow.project, airflow.ups[0]
        airflow.sources("POST", "faults", [{"match": "^/dumps/.*gz$", "times": None, "action": {"stall": 600}}])
        run = airflow.trigger("dumps-daily", full_refresh=True)
        wait_for(lambda: airflow.sources("GET", "faults")["faults"][0]["done"], "a task that waits for a file")
        assert task_processes(project, quiet)

        # Meltano alone gets the signal, as from a service manager
        first.process.send_signal(signal.SIGTERM)
        second = airflow.up(until="the UI is at")
        first.end()
        assert first.process.returncode in {0, -signal.SIGTERM}

        # not even a kill of Meltano and the supervisor leaves something behind
        airflow.api(run, {"state": "failed"}, "PATCH")
        airflow.trigger("dumps-daily", full_refresh=True)
        wait_for(lambda: task_processes(project, quiet), "another task")
        os.killpg(second.process.pid, signal.SIGKILL)
        second.end()
        wait_for(lambda: processes(project) <= quiet, "every process has ended")

    def test_a_schedule_that_is_added_is_compiled(self, ready: Checkout) -> None:
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
        process.communicate(timeout=300)

    def test_a_port_that_is_taken_is_named(self, ready: Checkout) -> None:
        with socket.socket() as other:
            other.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections of the tests above are just closed
            other.bind(("127.0.0.1", int(ready.environ["AIRFLOW_PORT"])))
            other.listen()
            said = refused(ready, *UP)
        assert f"Port {ready.environ['AIRFLOW_PORT']} of 127.0.0.1 cannot be had" in said

    def test_a_database_that_is_down_is_named(self, ready: Checkout) -> None:
        ready.run("warehouse", "stop")
        said = refused(ready, *UP)
        assert "Airflow's database airflow at 127.0.0.1:" in said
        assert "does not answer" in said
        found = wrong_findings(ready)
        assert "does not answer" in found["database"]
        for secret in secrets_of(ready).values():
            assert secret not in said + str(found)
