"""The deployment's files, held to their promises by the real Compose and hadolint."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import PROJECT
from compose import COMBINATIONS, PROFILES, VARIABLE, compose, configuration, deployment, recipe, set_variable

FILE = (PROJECT / "docker-compose.yaml").read_text()
EXAMPLE = (PROJECT / ".env.example").read_text()
SECRETS = set(re.findall(r"\$\{([A-Z0-9_]+):\?", FILE))
ONCE = {"warehouse-init", "airflow-init"}
ALWAYS = {
    *ONCE,
    "postgres_app_db",
    "postgres_airflow_meta",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "dashboard",
    "health",
}
BY_PROFILE = {"scale": {"redis", "airflow-worker"}, "simulate": {"simulator"}}
# Variables of .env that docker-compose.yaml has no use for: set by it, for a checkout without containers, or for the
# file of a serving database, which hands all of .env on.
NOT_FOR_COMPOSE = {
    *("MELTANO_DATABASE_URI", "SAMPLES_DIR"),
    *("WAREHOUSE_CHAINS", "WAREHOUSE_BITCOIN_HOST", "WAREHOUSE_BITCOIN_BI_READER_PASSWORD"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="module")
def services(folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = configuration(folder, *PROFILES)["services"]
    return found


@pytest.mark.parametrize("profiles", COMBINATIONS, ids="+".join)
def test_each_combination_of_profiles_is_valid_and_starts_its_services(folder: Path, profiles: tuple[str, ...]) -> None:
    started = configuration(folder, *profiles)["services"].keys()
    assert started == ALWAYS.union(*(BY_PROFILE[profile] for profile in profiles))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_without_a_secret_nothing_starts_and_the_variable_is_named(tmp_path: Path, name: str) -> None:
    folder = deployment(tmp_path)
    set_variable(folder, name, "")
    done = compose(folder, "--profile", "scale", "config", "--quiet")
    assert done.returncode != 0
    assert f"required variable {name} is missing a value: is not set; make env writes it to .env" in done.stderr


def test_every_secret_is_demanded_and_none_has_a_default() -> None:
    used = {name for name in VARIABLE.findall(FILE) if re.search("PASSWORD|SECRET|FERNET", name)}
    assert used == SECRETS
    assert len(SECRETS) == 11
    for name in SECRETS:
        assert len(re.findall(rf"\$\{{{name}[^:]*\}}|\$\{{{name}:[^?]", FILE)) == 0


def test_the_file_and_the_example_name_the_same_variables() -> None:
    named = {match[1] for line in EXAMPLE.splitlines() if (match := re.match(r"(?:# )?([A-Z][A-Z0-9_]+)=", line))}
    passed_on = set(re.findall(r"^ +([A-Z][A-Z0-9_]+):(?: +#.*)?$", FILE, re.MULTILINE))
    assert set(VARIABLE.findall(FILE)) | passed_on == named - NOT_FOR_COMPOSE


def test_nothing_is_published_beyond_this_machine_unless_asked(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"postgres_app_db", "airflow-api-server", "dashboard"}
    for ports in published.values():
        assert [port["host_ip"] for port in ports] == ["127.0.0.1"]


def test_the_published_addresses_can_be_chosen(tmp_path: Path) -> None:
    folder = deployment(tmp_path)
    for name, value in {
        "WAREHOUSE_BIND": "10.0.0.5",
        "WAREHOUSE_PORT": "6543",
        "AIRFLOW_BIND": "10.0.0.6",
        "AIRFLOW_PORT": "8080",
        "DASHBOARD_BIND": "10.0.0.7",
        "DASHBOARD_PORT": "8081",
    }.items():
        set_variable(folder, name, value)
    services = configuration(folder)["services"]
    warehouse, airflow = services["postgres_app_db"], services["airflow-api-server"]
    port = warehouse["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("10.0.0.5", "6543", 6543)
    assert warehouse["environment"]["PGPORT"] == "6543"
    assert services["warehouse-init"]["environment"]["WAREHOUSE_PORT"] == "6543"
    port = airflow["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("10.0.0.6", "8080", 57480)
    assert airflow["environment"]["AIRFLOW_PORT"] == "57480", "inside, the port is always the same"
    assert airflow["environment"]["AIRFLOW_BASE_URL"] == "http://127.0.0.1:8080"
    port = services["dashboard"]["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("10.0.0.7", "8081", 57482)
    assert services["dashboard"]["environment"]["DASHBOARD_PORT"] == "57482", "inside, the port is always the same"


def test_a_warehouse_of_ones_own_needs_no_other(tmp_path: Path) -> None:
    """With the override of docs/guides/deploy.md."""
    folder = deployment(tmp_path)
    set_variable(folder, "WAREHOUSE_HOST", "db.example.org")
    (folder / "docker-compose.override.yaml").write_text(recipe("own-warehouse"))
    services = configuration(folder)["services"]
    assert "postgres_app_db" not in services
    assert services["airflow-scheduler"]["environment"]["LOCAL_WAREHOUSE_HOST"] == "db.example.org"
    assert "@db.example.org:5432/" in services["airflow-scheduler"]["environment"]["MELTANO_DATABASE_URI"]


@pytest.mark.parametrize("name", ["own-warehouse", "tls", "more-machines"])
def test_the_overrides_of_the_docs_are_valid(tmp_path: Path, name: str) -> None:
    folder = deployment(tmp_path)
    (folder / "docker-compose.override.yaml").write_text(recipe(name))
    assert configuration(folder, *PROFILES)["services"]


def test_every_service_is_guarded(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        limits = service["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) > 0, name
        assert int(limits["memory"]) > 0, name
        assert limits["pids"] > 0, name
        assert service["logging"] == {"driver": "json-file", "options": {"max-file": "5", "max-size": "10m"}}, name
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+\.?\d*(-bookworm)?", service["image"]), name
        assert "privileged" not in service, name


def test_of_this_machine_containers_see_the_checkout_alone_and_cannot_write_it(
    services: dict[str, dict[str, Any]], folder: Path
) -> None:
    mounted = {
        name: [(volume["source"], volume["target"], volume["read_only"]) for volume in found]
        for name, service in services.items()
        if (found := [volume for volume in service.get("volumes", []) if volume["type"] != "volume"])
    }
    checkout = [(str(folder), "/opt/crypto-elt/checkout", True)]
    parts = ("airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-worker")
    assert mounted == dict.fromkeys(parts, checkout)
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600, "closed to the containers' user"


def test_the_image_reads_meltano_yml_where_the_checkout_is_mounted() -> None:
    last_stage = (PROJECT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert "ln -s checkout/meltano.yml /opt/crypto-elt/meltano.yml" in last_stage
    assert "MELTANO_PROJECT_ROOT=/opt/crypto-elt " in last_stage


def test_every_service_is_asked_for_its_health_and_restarts(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name in ONCE:
            assert service["restart"] == "no"
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_the_order_of_starting_waits_for_health(services: dict[str, dict[str, Any]]) -> None:
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    assert waits == {
        "postgres_app_db": {},
        "postgres_airflow_meta": {},
        "redis": {},
        "simulator": {},
        "warehouse-init": {"postgres_app_db": healthy},
        "dashboard": {"warehouse-init": done},
        "health": {"airflow-api-server": "service_started"},
        "airflow-init": {"postgres_airflow_meta": healthy, "warehouse-init": done},
        "airflow-api-server": {"airflow-init": done},
        "airflow-scheduler": {"airflow-api-server": healthy},
        "airflow-dag-processor": {"airflow-api-server": healthy},
        "airflow-worker": {"airflow-api-server": healthy, "redis": healthy},
    }


def test_secrets_reach_only_who_needs_them(services: dict[str, dict[str, Any]], folder: Path) -> None:
    env = dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines() if re.match("[A-Z]", line))
    holders = {
        name: {service for service, made in services.items() if env[name] in json.dumps(made)} for name in SECRETS
    }
    tasks = {"airflow-scheduler", "airflow-worker"}
    airflow = tasks | {"airflow-init", "airflow-api-server", "airflow-dag-processor"}
    assert holders["WAREHOUSE_ADMIN_PASSWORD"] == {"postgres_app_db", "warehouse-init"}
    assert holders["WAREHOUSE_LOADER_PASSWORD"] == tasks | {"warehouse-init"}
    assert holders["WAREHOUSE_TRANSFORMER_PASSWORD"] == tasks | {"warehouse-init", "health"}
    assert holders["AIRFLOW_DB_PASSWORD"] == airflow | {"postgres_airflow_meta"}
    assert {name for name, known in holders.items() if "dashboard" in known} == {"WAREHOUSE_BI_READER_PASSWORD"}
    assert holders["REDIS_PASSWORD"] == airflow | {"redis"}
    assert holders["AIRFLOW_FERNET_KEY"] == holders["AIRFLOW_JWT_SECRET"] == airflow
    for service in services.values():
        words = json.dumps([service.get("command"), service.get("healthcheck"), service.get("labels")])
        assert not [name for name in SECRETS if env[name] in words]


def test_what_a_task_reads_in_local_names_this_deployment(services: dict[str, dict[str, Any]]) -> None:
    """`local` reads LOCAL_* alone, so simulated sources need exactly those."""
    local = (PROJECT / "meltano.yml").read_text().split("- name: local")[1].split("- name: dev")[0]
    needed = set(re.findall(r"\$\{(LOCAL_[A-Z_]+)\}", local))
    environment = services["airflow-scheduler"]["environment"]
    assert needed <= {name for name, value in environment.items() if value}
    port = services["simulator"]["command"][-1].removeprefix("--port=")
    assert environment["LOCAL_SIMULATOR_URL"] == f"http://simulator:{port}"


def test_live_environments_get_every_variable_that_they_read(services: dict[str, dict[str, Any]]) -> None:
    live = (PROJECT / "meltano.yml").read_text().split("- name: dev")[1].split("\njobs:")[0]
    needed = set(re.findall(r"\$\{([A-Z_]+)\}", live))
    assert needed <= services["airflow-scheduler"]["environment"].keys()


def test_each_variable_of_airflow_is_one_that_something_reads(services: dict[str, dict[str, Any]]) -> None:
    """Meltano passes over a name that is no setting's, so a slip of the pen would do nothing at all."""
    (airflow,) = yaml.safe_load((PROJECT / "orchestrate/orchestrators.meltano.yml").read_text())["plugins"]["utilities"]
    settings = {"AIRFLOW_" + re.sub(r"\W", "_", setting["name"]).upper() for setting in airflow["settings"]}
    inserted = set(re.findall(r"\$\{(AIRFLOW_[A-Z_]+)\}", (PROJECT / "meltano.yml").read_text()))
    passed = {name for service in services.values() for name in service["environment"] if name.startswith("AIRFLOW_")}
    assert len(passed) > 15
    assert passed <= settings | inserted


def test_no_container_installs_plugins(services: dict[str, dict[str, Any]]) -> None:
    commands = [service["command"] for service in services.values() if service.get("command", [""])[0] == "meltano"]
    commands += [
        json.loads(words) for words in re.findall(r"^CMD (.*)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    ]
    assert len(commands) == 6
    assert all("--no-install" in command for command in commands)


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [PROJECT / ".venv-compose/bin/hadolint", "Dockerfile"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_no_secret_and_no_local_state_enters_the_image() -> None:
    rules = (PROJECT / ".dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*", "only what is named is taken"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert not let_in & {".env", ".state", ".meltano", ".venv", ".git", "tests", "docs"}
    assert {"meltano.yml", "extract", "load", "orchestrate", "plugins", "requirements", "transform"} <= let_in
    assert rules.index("!transform/tests") > rules.index("**/tests"), "dbt's tests are part of the build"


def test_the_image_runs_as_nobody_special_and_holds_no_build_stage() -> None:
    stages = (PROJECT / "Dockerfile").read_text().split("\nFROM ")
    assert len(stages) == 3
    assert "USER 10001:10001" in stages[2]
    assert not re.search(r"\b(apt-get|pip|uv|gcc|make)\b", stages[2])
    assert re.search(r"ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-bookworm$", stages[0], re.MULTILINE)
