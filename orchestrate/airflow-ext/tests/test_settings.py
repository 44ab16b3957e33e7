"""What Meltano's settings mean for Airflow."""

import sys
from pathlib import Path

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.settings import airflow_environ, read_settings

SECRETS = {"fernet_key": "f", "jwt_secret": "j", "api_secret_key": "a"}


def test_one_port_is_everybodys() -> None:
    environ = {"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_EXT_PORT": "6000"}
    made = airflow_environ(read_settings(environ), environ, SECRETS)
    assert made["AIRFLOW__API__PORT"] == "6000"
    assert made["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert made["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:6000"
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:6000/execution/"


def test_browsers_and_workers_may_know_it_by_other_names() -> None:
    environ = {
        "MELTANO_PROJECT_ROOT": "/p",
        "AIRFLOW_EXT_HOST": "0.0.0.0",  # noqa: S104 - a container's
        "AIRFLOW_EXT_BASE_URL": "https://elt.example.com/",
        "AIRFLOW_EXT_EXECUTION_API_URL": "http://airflow-api-server:57480/execution/",
    }
    settings = read_settings(environ)
    made = airflow_environ(settings, environ, SECRETS)
    assert settings.local_url == "http://127.0.0.1:57480"
    assert made["AIRFLOW__API__BASE_URL"] == "https://elt.example.com"
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:57480/execution/"


def test_options_of_airflow_pass_and_secrets_are_ours() -> None:
    environ = {
        "MELTANO_PROJECT_ROOT": "/p",
        "AIRFLOW__CORE__PARALLELISM": "9",
        "AIRFLOW__CORE__FERNET_KEY": "inherited",
        "AIRFLOW__CELERY__BROKER_URL": "",  # Meltano hands an unset setting on as an empty one
    }
    made = airflow_environ(read_settings(environ), environ, SECRETS)
    assert made["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert made["AIRFLOW__CORE__FERNET_KEY"] == "f"
    assert "AIRFLOW__CELERY__BROKER_URL" not in made
    assert made["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert made["AIRFLOW_CONFIG"] == "/dev/null", "no file of a former release's defaults"
    named = environ | {"AIRFLOW_CONFIG": "/etc/airflow.cfg"}
    assert airflow_environ(read_settings(named), named, SECRETS)["AIRFLOW_CONFIG"] == "/etc/airflow.cfg"


def test_meltano_is_the_projects_own(tmp_path: Path) -> None:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    assert read_settings(environ).meltano == "meltano"
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/meltano").touch()
    assert read_settings(environ).meltano == str(tmp_path / ".venv/bin/meltano")
    assert read_settings(environ | {"MELTANO_EXECUTABLE": "/m"}).meltano == "/m"


def test_what_counts_where_nothing_is_said(tmp_path: Path) -> None:
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    home = tmp_path / ".state/airflow"
    assert (settings.root, settings.home, settings.environment) == (tmp_path, home, "local")
    assert (settings.host, settings.port, settings.base_url) == ("127.0.0.1", 57480, "http://127.0.0.1:57480")
    assert settings.execution_api_url == "http://127.0.0.1:57480/execution/"
    assert settings.airflow == str(Path(sys.executable).parent / "airflow")
    assert (settings.secrets_file, settings.password_file) == (home / "secrets.json", home / "admin-password")
    empty = dict.fromkeys(
        ("AIRFLOW_HOME", "MELTANO_ENVIRONMENT", "AIRFLOW_EXT_HOST", "AIRFLOW_EXT_PORT", "AIRFLOW_EXT_BASE_URL"), ""
    )
    assert read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)} | empty) == settings


def test_each_environment_has_a_manifest_of_its_own(tmp_path: Path) -> None:
    stated = {"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_HOME": str(tmp_path), "MELTANO_ENVIRONMENT": "prod"}
    settings = read_settings(stated)
    assert settings.manifest == tmp_path / "manifests/meltano-manifest.prod.json"
    assert settings.manifest_error == tmp_path / "manifests/error.prod.txt"
    made = airflow_environ(settings, stated, SECRETS)
    assert (made["AIRFLOW_HOME"], made["MELTANO_ENVIRONMENT"]) == (str(tmp_path), "prod")
    assert made["MELTANO_EXECUTABLE"] == settings.meltano
    assert (made["AIRFLOW__API_AUTH__JWT_SECRET"], made["AIRFLOW__API__SECRET_KEY"]) == ("j", "a")


@pytest.mark.parametrize(
    ("host", "local"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.2", "127.0.0.2")],  # noqa: S104 - a container's
)
def test_a_server_on_every_address_is_reached_on_this_machine(host: str, local: str) -> None:
    settings = read_settings({"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_EXT_HOST": host, "AIRFLOW_EXT_PORT": "6000"})
    assert settings.local_url == settings.base_url == f"http://{local}:6000"
    assert settings.execution_api_url == f"http://{local}:6000/execution/"


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_first_and_the_last_port(port: str) -> None:
    assert read_settings({"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_EXT_PORT": port}).port == int(port)


def test_a_killed_worker_is_noticed_within_minutes_and_a_schedule_followed_within_one() -> None:
    """What docs/guides/airflow.md promises; by Airflow's own defaults each would take several times as long."""
    made = airflow_environ(read_settings({"MELTANO_PROJECT_ROOT": "/p"}), {}, SECRETS)

    def seconds(section: str, key: str) -> int:
        return int(made[f"AIRFLOW__{section}__{key}"])

    heartbeat = seconds("SCHEDULER", "TASK_INSTANCE_HEARTBEAT_TIMEOUT")
    assert 60 <= heartbeat + seconds("SCHEDULER", "ZOMBIE_DETECTION_INTERVAL") < 90
    assert (
        seconds("SCHEDULER", "TASK_QUEUED_TIMEOUT") + seconds("SCHEDULER", "TASK_QUEUED_TIMEOUT_CHECK_INTERVAL") <= 240
    )
    assert seconds("SCHEDULER", "ORPHANED_TASKS_CHECK_INTERVAL") <= 60
    # a task that only waits for a slot is handed out again as often as it takes
    assert seconds("SCHEDULER", "NUM_STUCK_IN_QUEUED_RETRIES") > 1000
    changed = seconds("DAG_PROCESSOR", "REFRESH_INTERVAL") + seconds("DAG_PROCESSOR", "MIN_FILE_PROCESS_INTERVAL")
    assert changed < 60
    assert changed + seconds("DAG_PROCESSOR", "STALE_DAG_THRESHOLD") <= 60
    assert seconds("SCHEDULER", "PARSING_CLEANUP_INTERVAL") <= 10
    assert seconds("WORKERS", "EXECUTION_API_TIMEOUT") > 5
    assert made["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(AirflowExtError, match="AIRFLOW_PORT"):
        read_settings({"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_EXT_PORT": port})


def test_outside_meltano_it_says_how_to_call_it() -> None:
    with pytest.raises(AirflowExtError, match="meltano invoke airflow"):
        read_settings({})
