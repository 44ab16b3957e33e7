"""The operator's first week with live data: from README's steps to a reboot, each by what a person types.

The PostgreSQL is a second deployment on the embedded server, with roles of its own; the sources are simulated ones that
`prod` is told to ask. Airflow runs the days by its clock, sooner than a day apart.
"""

import json
import os
import re
import secrets
import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer

from airflow_stack import Airflow
from checkout import PROJECT, Checkout
from waiting import free_port, wait_for

pytestmark = [pytest.mark.long(part="first-week"), pytest.mark.timeout(3600)]
FIRST_DAY = "2025-03-01"
WORLD = {
    "SIMULATOR_START": FIRST_DAY,
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "2",
    "SIMULATOR_API_KEYS": "the-key",
}
PREFIX = "week_"
STATE_ID = "prod:tap-blockchair--dumps-to-target-postgres"
NEWEST = "select max(last_day) from raw_data.load_ledger where table_name = 'bitcoin_blocks' and channel = 'dumps'"
BUILT = "select max(block_date) from analytics.fct_blocks"


def steps() -> list[list[str]]:
    """The commands of README's going live, in their order."""
    text = (PROJECT / "README.md").read_text().split("## Live data in three steps\n", 1)[1].split("\n\n", 1)[0]
    return [shlex.split(found) for found in re.findall(r"`((?:make|crypto-elt|warehouse|meltano) [^`]+)`", text)]


def airflow_steps() -> list[list[str]]:
    """What the page Airflow says to type before `airflow:up`: what is installed, and what makes it ready."""
    text = (PROJECT / "docs/guides/airflow.md").read_text().split("## From nothing to the UI\n", 1)[1]
    lines = text.split("```", 2)[1].splitlines()
    return [
        shlex.split(line, comments=True) for line in lines if re.match("meltano (install|invoke airflow:init)", line)
    ]


class Stack(Airflow):
    """Airflow whose administrator's password stands in `.env`."""

    @property
    def password(self) -> str:
        lines = (self.project.root / ".env").read_text().splitlines()
        (word,) = [line.split("=", 1)[1] for line in lines if line.startswith("AIRFLOW_ADMIN_PASSWORD=")]
        return word


@dataclass
class Week:
    """The deployment, what runs its days, and where its alerts go."""

    live: Checkout
    airflow: Airflow
    hook: HTTPServer

    def newest(self, query: str) -> str:
        """The newest day of raw rows or of marts."""
        return str(self.live.sql(query)[0][0])

    def pass_a_day(self) -> str:
        """Let a day pass at the sources, and wait until the schedules have loaded and built it; returns the day."""
        before = self.newest(NEWEST)
        self.live.run("simulator", "advance", "1")
        wait_for(lambda: self.newest(NEWEST) > before, "the day's files are loaded by the clock", 900, 3)
        return self.build()

    def build(self) -> str:
        """Let the daily build be due, and wait until it has taken the newest loaded day up; returns the day."""
        since, minute = datetime.now(UTC).isoformat(), (time.gmtime().tm_min + 1) % 60
        self.live.run("meltano", "schedule", "set", "marts-daily", "--interval", f"{minute} * * * *")

        def built() -> list[object]:
            ended = self.airflow.ended("marts-daily", "scheduled")
            return [run["state"] for run in ended if str(run["start_date"]) > since]

        wait_for(built, "a build that began after the day was loaded", 900, 3)
        assert set(built()) == {"success"}
        wait_for(lambda: not self.running("marts-daily"), "no build is left", 900, 3)
        newest = self.newest(NEWEST)
        assert self.newest(BUILT) >= newest  # blocks at the tip may be newer than the newest dump day
        return newest

    def running(self, dag: str) -> list[object]:
        """The runs of a DAG that have not ended."""
        runs: list[dict[str, object]] = self.airflow.api(f"dags/{dag}/dagRuns?limit=100")["dag_runs"]  # type: ignore[assignment]
        return [run for run in runs if run["state"] not in {"success", "failed"}]

    def start(self) -> None:
        """Start Airflow, whose DAGs wait for nobody in `prod`."""
        self.airflow.up(until="the UI is at")
        wait_for(lambda: {"dumps-daily", "marts-daily", "tip-to-warehouse"} <= self.airflow.dags().keys(), "its DAGs")

    def stop(self) -> None:
        """End Airflow."""
        self.airflow.end()
        self.airflow.ups.clear()

    def downloads(self) -> Counter[str]:
        """How often each dump file was sent."""
        log = self.airflow.sources("GET", "requests")["log"]
        sent = (entry for entry in log if entry["method"] == "GET" and entry["path"].endswith(".gz"))
        return Counter(entry["path"].rsplit("/", 1)[-1] for entry in sent if entry["status"] == 200)

    def sent_again(self) -> set[str]:
        """The dump files that were sent more than once."""
        return {name for name, times in self.downloads().items() if times > 1}


@pytest.fixture(scope="module")
def hook() -> Iterator[HTTPServer]:
    """Where alerts go."""
    with HTTPServer() as server:
        server.expect_request(re.compile("/.*"), "POST").respond_with_data("")
        yield server


def settings(checkout: Checkout, hook: HTTPServer) -> dict[str, str]:
    """What a person writes into `.env`: the own PostgreSQL, and here the simulated sources."""
    admin, url = urlsplit(checkout.url("admin")), checkout.simulator()
    server = {"HOST": str(admin.hostname), "PORT": str(admin.port)}
    named = checkout.own_database("week") | {"WAREHOUSE_ROLE_PREFIX": PREFIX, "MELTANO_DB_PASSWORD": "of-meltano"}
    named |= {name: secrets.token_hex(8) for name in named if re.fullmatch("WAREHOUSE_(LOAD|TRANS|BI_).*", name)}
    named |= {f"AIRFLOW_DB_{name}": value for name, value in server.items()}
    named |= {"AIRFLOW_DB_PASSWORD": checkout.variables()["LOCAL_AIRFLOW_PASSWORD"]}
    named |= {"TAP_BLOCKCHAIR_API_URL": f"{url}/blockchair", "TAP_BLOCKCHAIR_DUMPS_URL": f"{url}/dumps"}
    named |= {"TAP_COINGECKO_API_URL": f"{url}/coingecko/api/v3", "TAP_COINGECKO_REQUESTS_PER_MINUTE": "600"}
    named |= {f"{name}_DATA_ORIGIN": "simulator" for name in ("TAP_BLOCKCHAIR", "TAP_COINGECKO", "TARGET_POSTGRES")}
    named |= {"TAP_BLOCKCHAIR_START_DATE": FIRST_DAY, "TAP_COINGECKO_START_DATE": "2025-01-01"}
    named |= {"BLOCKCHAIR_API_KEY": "the-key", "AIRFLOW_ALERT_URLS": f"json://127.0.0.1:{hook.port}/alerts"}
    return named


def write_env(checkout: Checkout, named: dict[str, str]) -> None:
    """Give variables of `.env` other values, as with an editor."""
    file = checkout.root / ".env"
    kept = [line for line in file.read_text().splitlines() if line.split("=")[0] not in named]
    file.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in named.items())]) + "\n")


@pytest.fixture(scope="module")
def week(checkout: Checkout, hook: HTTPServer) -> Iterator[Week]:
    for name in [name for name in checkout.environ if name.startswith("AIRFLOW")]:
        del checkout.environ[name]
    checkout.run("warehouse", "start")
    checkout.run("simulator", "start", **WORLD)
    stack = Stack(checkout)
    yield Week(checkout, stack, hook)
    stack.end()


class TestFirstWeek:
    """One story, in order."""

    def test_going_live_as_readme_says(self, week: Week) -> None:
        live = week.live
        make_env, doctor, init, load, summary = steps()
        assert make_env == ["make", "env"]
        live.make("env")
        named = settings(live, week.hook)
        write_env(live, named)
        server = f"{named['WAREHOUSE_HOST']}:{named['WAREHOUSE_PORT']}"
        store = f"postgresql+psycopg://{PREFIX}meltano:of-meltano@{server}/{PREFIX}meltano"
        live.run(*init)
        live.environ |= {"MELTANO_DATABASE_URI": store, "MELTANO_ENVIRONMENT": "prod"}
        assert f"{PREFIX}loader logs in to week at {server}" in live.run(*doctor).stdout
        live.run(*load)
        assert week.newest(BUILT) == "2025-03-03"
        assert "2025-03-01 to 2025-03-03" in live.run(*summary).stdout
        # days are judged by the machine's clock in `prod`, and the simulated ones are long ago
        said = live.run("crypto-elt", "health", "--no-scheduler", "--hours", "*_blocks=0").stdout
        assert said.startswith("well: ")

    def test_three_days_by_the_clock_of_airflow_after_a_schedule_was_changed(self, week: Week) -> None:
        live = week.live
        live.environ["AIRFLOW_PORT"] = str(free_port())
        install, initialize = airflow_steps()
        live.run(*install)
        live.run(*initialize)
        for name in ("market-hourly", "tip-hourly", "maintenance-weekly"):
            live.run("meltano", "schedule", "remove", name)
        live.run("meltano", "schedule", "set", "dumps-daily", "--interval", "* * * * *")
        week.start()
        assert [week.pass_a_day() for _ in range(3)] == ["2025-03-04", "2025-03-05", "2025-03-06"]

    def test_a_wrong_key_fails_with_an_alert_whose_first_line_says_so(self, week: Week) -> None:
        write_env(week.live, {"BLOCKCHAIR_API_KEY": "no-such-key"})
        run = week.airflow.trigger("tip-to-warehouse")
        assert week.airflow.wait_for_end(run) == "failed"
        wait_for(lambda: week.hook.log, "the alert")
        first = json.loads(week.hook.log[-1][0].get_data())["message"].splitlines()[0]
        assert "BLOCKCHAIR_API_KEY" in first
        assert "no-such-key" not in first
        write_env(week.live, {"BLOCKCHAIR_API_KEY": "the-key"})
        run = week.airflow.trigger("tip-to-warehouse")
        assert week.airflow.wait_for_end(run) == "success"

    def test_a_backup_a_day_and_a_restore_to_the_day_before(self, week: Week) -> None:
        assert set(week.downloads().values()) == {1}, "nothing was downloaded twice so far"
        made = week.live.run("warehouse", "backup").stdout.strip()
        day = week.pass_a_day()
        after = week.live.tables()
        week.stop()
        week.live.run("warehouse", "restore", made, "--yes")
        assert week.newest(NEWEST) < day
        week.start()
        wait_for(lambda: week.newest(NEWEST) == day, "the day is loaded again by the clock", 900, 3)
        assert week.build() == day
        assert raw(week.live.tables()) == raw(after)
        assert week.sent_again() == files(week, day)

    def test_a_lost_bookmark_is_made_anew_from_the_ledger(self, week: Week) -> None:
        week.stop()
        before = week.downloads()
        week.live.run("meltano", "state", "clear", "--force", STATE_ID)
        week.live.run("warehouse", "bookmarks", "--rebuild", "tap-blockchair--dumps")
        week.live.run("meltano", "run", "--no-install", "dumps-to-warehouse")
        assert week.downloads() == before

    def test_a_reboot(self, week: Week) -> None:
        week.start()
        wait_for(lambda: not week.running("dumps-daily"), "a moment between two loads")
        week.airflow.ups[-1].kill(and_components=True)
        week.airflow.ups.clear()
        pid = int(Path(week.live.root, ".state/warehouse/data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        week.live.run("warehouse", "start", "--environment=local")
        week.start()
        assert week.pass_a_day() == "2025-03-08"
        week.stop()

    def test_in_the_end_marts_equal_a_rebuild_and_one_day_was_sent_twice(self, week: Week) -> None:
        assert week.sent_again() == files(week, "2025-03-07"), "the day that the restore took back"
        before = week.live.tables()
        week.live.run("meltano", "invoke", "dbt-postgres:build", "--full-refresh")
        assert week.live.tables() == before
        assert week.live.run("crypto-elt", "summary").stdout.count("failed") == 0


def raw(tables: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """What was loaded from dump files."""
    return {name: held for name, held in tables.items() if name.endswith("_blocks") and name.startswith("raw_data.")}


def files(week: Week, day: str) -> set[str]:
    """The dump files of a day, of the chains of which blocks are loaded."""
    query = "select distinct table_name from raw_data.load_ledger where channel = 'dumps'"
    tables = [str(name) for (name,) in week.live.sql(query)]
    return {f"blockchair_{table}_{day.replace('-', '')}.tsv.gz" for table in tables}
