"""Airflow's metadata database, asked before anything is started on it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from airflow_ext.errors import AirflowExtError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECT_SECONDS = 10


def connect(environ: Mapping[str, str]) -> psycopg.Connection:
    """Open the metadata database, in autocommit.

    Raises:
        AirflowExtError: No database is named, or it does not answer; without the password.
    """
    stated = environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "")
    try:
        url = make_url(stated)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.host:
        raise AirflowExtError(
            "No PostgreSQL is named for Airflow: start the embedded one (`warehouse start`) in the environment local, "
            "set AIRFLOW_DB_HOST and AIRFLOW_DB_PASSWORD in .env in the others."
        )
    try:
        return psycopg.connect(
            host=url.host,
            port=url.port or 5432,
            dbname=url.database,
            user=url.username,
            password=str(url.password or ""),
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
            client_encoding="UTF8",
            application_name="airflow-ext",
        )
    except psycopg.OperationalError as error:
        reason = next(iter(str(error).splitlines()), "no reason given")
        raise AirflowExtError(
            f"Airflow's database {url.database} at {url.host}:{url.port or 5432} does not answer: {reason}. "
            "Start it (`warehouse start` in the environment local), or mend its address in .env."
        ) from None


def newest_revision() -> str:
    """The revision of the tables that this Airflow works with."""
    spec = importlib.util.find_spec("airflow")
    places = list(spec.submodule_search_locations or []) if spec else []
    config = Config()
    config.set_main_option("script_location", str(Path(places[0]) / "migrations"))
    (head,) = ScriptDirectory.from_config(config).get_heads()
    return head


def check_migrated(connection: psycopg.Connection) -> None:
    """Make sure that the tables are those of this Airflow.

    Raises:
        AirflowExtError: They are missing, older, or newer.
    """
    try:
        row = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None:
        raise AirflowExtError("Airflow is not initialised: run `meltano invoke airflow:initialize` first.")
    if row[0] != newest_revision():
        raise AirflowExtError(
            "Airflow's tables are of another version: stop what runs of it, then run "
            "`meltano invoke airflow:initialize`."
        )
