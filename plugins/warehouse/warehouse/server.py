"""The PostgreSQL that a command talks to, and connections to it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

ADMIN = "admin"
ROLES = ("loader", "transformer", "bi_reader")
MELTANO = "meltano"
AIRFLOW = "airflow"
# Roles with a database of the same name, which is theirs alone.
TENANTS = (MELTANO, AIRFLOW)
CONNECT_SECONDS = 10
_PREFIX = re.compile(r"(?:[a-z][a-z0-9_]{0,30})?")
# What changes the meaning of a statement or a value, so that role, database and server have no say in it.
_SESSION = {
    "array_nulls": "on",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "search_path": '"$user", public',
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "transform_null_equals": "off",
    "xmloption": "content",
}

# Variables by which libpq would quietly point a connection elsewhere. Certificates (PGSSLROOTCERT and the like) stay.
_LIBPQ_VARIABLES = """
    PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGTZ
    PGREQUIREAUTH PGAPPNAME PGTARGETSESSIONATTRS PGLOADBALANCEHOSTS PGDATESTYLE PGCLIENTENCODING
"""


@dataclass(frozen=True)
class Login:
    """A user and its password (never shown)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Server:
    """Where the warehouse is and who may log in."""

    environment: str
    host: str
    port: int
    database: str
    sslmode: str
    logins: Mapping[str, Login] = field(repr=False)  # of admin, roles, meltano and airflow, where passwords are known
    prefix: str = ""  # of the names of roles and of Meltano's database, where deployments share a server

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded server."""
        return self.environment == "local"

    def name_of(self, role: str) -> str:
        """The name on the server of one of the project's roles, or of the database of the same name."""
        return f"{self.prefix}{role}"

    def login(self, role: str) -> Login:
        """The login of a role.

        Raises:
            WarehouseError: Its password is not known; the text names the variable.
        """
        found = self.logins.get(role)
        if found is None:
            names = missing_for(role)
            raise WarehouseError(f"Set {' and '.join(names)} in .env to connect as {role} in {self.environment}.")
        return found

    def url(self, role: str, *, with_password: bool = True) -> str:
        """A ``postgresql://`` URL with every part percent-encoded."""
        login = self.login(role)
        secret = f":{quote(login.password, safe='')}" if with_password else ""
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        options = "" if self.is_local else f"?sslmode={quote(self.sslmode, safe='')}"
        user, database = quote(login.user, safe=""), quote(self.database, safe="")
        return f"postgresql://{user}{secret}@{host}:{self.port}/{database}{options}"


def missing_for(role: str) -> list[str]:
    """The ``.env`` variables that a live login of this role needs besides the host."""
    if role == ADMIN:
        return ["WAREHOUSE_ADMIN_USER", "WAREHOUSE_ADMIN_PASSWORD"]
    return [f"WAREHOUSE_{role.upper()}_PASSWORD"]


def variables_of(role: str) -> str:
    """The variables by which a live login of this role is found, for a message."""
    secrets = [f"{role.upper()}_DB_PASSWORD"] if role in TENANTS else missing_for(role)
    return ", ".join(("WAREHOUSE_HOST", "WAREHOUSE_PORT", "WAREHOUSE_DB", *secrets))


def live_server(environment: str, variables: Mapping[str, str], needed: tuple[str, ...]) -> Server:
    """The PostgreSQL that ``WAREHOUSE_*`` names; the roles ``needed`` must be able to log in.

    Raises:
        WarehouseError: Variables are missing (all are named), or the port is no port.
    """
    names = ["WAREHOUSE_HOST", *(name for role in needed for name in missing_for(role))]
    missing = [name for name in names if not variables.get(name)]
    if missing:
        raise WarehouseError(f"The environment {environment} needs these variables in .env: {', '.join(missing)}.")
    port = _port(variables, "WAREHOUSE_PORT")
    prefix = variables.get("WAREHOUSE_ROLE_PREFIX") or ""
    if not _PREFIX.fullmatch(prefix):
        raise WarehouseError(
            f"WAREHOUSE_ROLE_PREFIX is {prefix!r}; it has to begin with a small letter and go on with at most 30 of "
            "them, digits and _, such as second_."
        )
    logins = {}
    for role in (ADMIN, *ROLES):
        values = [variables.get(name, "") for name in missing_for(role)]
        if all(values):
            logins[role] = Login(values[0] if role == ADMIN else f"{prefix}{role}", values[-1])
    if variables.get("MELTANO_DB_PASSWORD"):
        logins[MELTANO] = Login(f"{prefix}{MELTANO}", variables["MELTANO_DB_PASSWORD"])
    return Server(
        environment,
        variables["WAREHOUSE_HOST"],
        port,
        variables.get("WAREHOUSE_DB") or "crypto",
        variables.get("WAREHOUSE_SSLMODE") or "prefer",
        logins,
        prefix,
    )


def airflow_server(server: Server, variables: Mapping[str, str]) -> Server | None:
    """The server of Airflow's metadata, in which role airflow can log in; None where it is not known."""
    if server.is_local:
        return replace(server, database=AIRFLOW) if AIRFLOW in server.logins else None
    host, password = variables.get("AIRFLOW_DB_HOST"), variables.get("AIRFLOW_DB_PASSWORD")
    if not (host and password):
        return None
    return replace(
        server,
        host=host,
        port=_port(variables, "AIRFLOW_DB_PORT"),
        database=variables.get("AIRFLOW_DB_NAME") or AIRFLOW,
        logins={AIRFLOW: Login(AIRFLOW, password)},
    )


def _port(variables: Mapping[str, str], name: str) -> int:
    port = variables.get(name) or "5432"
    if not (port.isdecimal() and 0 < int(port) < 2**16):
        raise WarehouseError(f"{name} is {port!r}, which is no TCP port; set a number from 1 to 65535.")
    return int(port)


def forget_libpq_variables(environ: MutableMapping[str, str] = os.environ) -> None:
    """Drop inherited ``PG*`` variables that would redirect a connection."""
    for name in _LIBPQ_VARIABLES.split():
        environ.pop(name, None)


@contextmanager
def connect(
    server: Server, role: str, database: str | None = None, *, autocommit: bool = False
) -> Iterator[psycopg.Connection]:
    """Open a connection; it commits at the end of the block and rolls back on an error.

    Raises:
        WarehouseError: It cannot be opened.
    """
    login = server.login(role)
    name = database or server.database
    try:
        connection = psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=name,
            user=login.user,
            password=login.password,
            sslmode=server.sslmode,
            client_encoding="UTF8",
            application_name="warehouse",
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        reason = next(iter(str(error).splitlines()), "no reason given")
        raise WarehouseError(
            f"Cannot connect to database {name} at {server.host}:{server.port} as {login.user}: {reason}"
            f"{'' if server.is_local else f' (read from {variables_of(role)})'}"
        ) from None
    with connection:
        _pin(connection)
        connection.autocommit = autocommit
        yield connection


def _pin(connection: psycopg.Connection) -> None:
    connection.execute(
        "select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as wanted (name, value)",
        [list(_SESSION), list(_SESSION.values())],
    )
