"""What Meltano's settings mean for Airflow."""

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


def test_meltano_is_the_projects_own(tmp_path: Path) -> None:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    assert read_settings(environ).meltano == "meltano"
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/meltano").touch()
    assert read_settings(environ).meltano == str(tmp_path / ".venv/bin/meltano")
    assert read_settings(environ | {"MELTANO_EXECUTABLE": "/m"}).meltano == "/m"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(AirflowExtError, match="AIRFLOW_PORT"):
        read_settings({"MELTANO_PROJECT_ROOT": "/p", "AIRFLOW_EXT_PORT": port})


def test_outside_meltano_it_says_how_to_call_it() -> None:
    with pytest.raises(AirflowExtError, match="meltano invoke airflow"):
        read_settings({})
