"""Tries every login that an environment uses, and says of each refusal what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg

from console.finding import Finding

_TIMEOUT_SECONDS = 5
ROLES = ("loader", "transformer", "bi_reader")


@dataclass(frozen=True)
class Login:
    """A login, and the variables that it is read from.

    Attributes:
        prefix: Of the variables of host, port, database and TLS mode.
        secret: The variable of the password.
        mend: The command that puts the login right.
    """

    user: str
    database: str
    prefix: str
    secret: str
    mend: str


def logins(variables: Mapping[str, str], environment: str) -> list[Login]:
    """The logins of a live environment, as far as their variables are set."""
    mend = f"warehouse init --environment={environment}"
    database = variables.get("WAREHOUSE_DB", "crypto")
    prefix = variables.get("WAREHOUSE_ROLE_PREFIX", "")
    found = [warehouse_login(role, database, mend, prefix) for role in ROLES]
    if variables.get("WAREHOUSE_ADMIN_PASSWORD"):
        admin = variables.get("WAREHOUSE_ADMIN_USER", "postgres")
        # Nothing sets this one: it is the server's.
        found.append(Login(admin, "postgres", "WAREHOUSE", "WAREHOUSE_ADMIN_PASSWORD", ""))
    if variables.get("MELTANO_DB_PASSWORD"):
        meltano = f"{prefix}meltano"
        found.append(Login(meltano, meltano, "WAREHOUSE", "MELTANO_DB_PASSWORD", mend))
    if variables.get("AIRFLOW_DB_HOST") and variables.get("AIRFLOW_DB_PASSWORD"):
        name = variables.get("AIRFLOW_DB_NAME", "airflow")
        found.append(Login("airflow", name, "AIRFLOW_DB", "AIRFLOW_DB_PASSWORD", ""))
    return found


def warehouse_login(role: str, database: str, mend: str, prefix: str = "") -> Login:
    """The login of one of the warehouse's roles."""
    return Login(f"{prefix}{role}", database, "WAREHOUSE", f"WAREHOUSE_{role.upper()}_PASSWORD", mend)


def try_all(found: list[Login], variables: Mapping[str, str]) -> Iterator[Finding]:
    """Try each login; a server that does not answer is said once."""
    silent: set[str] = set()
    for login in found:
        host, port = variables.get(f"{login.prefix}_HOST", ""), variables.get(f"{login.prefix}_PORT", "5432")
        where = f"{host}:{port}"
        if where in silent:
            continue
        reason = _refusal(login, variables, host, port)
        if not reason:
            yield Finding("ok", f"{login.user} logs in to {login.database} at {where}")
            continue
        advice, is_silent = _advice(login, reason, where)
        if is_silent:
            silent.add(where)
        yield Finding("wrong", advice)


def _refusal(login: Login, variables: Mapping[str, str], host: str, port: str) -> str:
    """Why a login is refused, in PostgreSQL's words; empty where it is not."""
    try:
        psycopg.connect(
            host=host,
            port=port,
            dbname=login.database,
            user=login.user,
            password=variables.get(login.secret),
            sslmode=variables.get(f"{login.prefix}_SSLMODE") or "prefer",
            connect_timeout=_TIMEOUT_SECONDS,
        ).close()
    except psycopg.Error as error:
        # Of several addresses the last one's words; libpq's question below each is no reason.
        lines = [line for line in str(error).splitlines() if line and not line.startswith("\t")]
        return lines[-1].rpartition("FATAL:  ")[2].removeprefix("connection failed: ") if lines else "no reason given"
    return ""


def _advice(login: Login, reason: str, where: str) -> tuple[str, bool]:
    """A sentence about a refusal, and whether the server itself did not answer."""
    again = f", or run `{login.mend}`, which sets it" if login.mend else ""
    make = f"run `{login.mend}`" if login.mend else "make it on the server"
    if "password authentication failed" in reason or "no password supplied" in reason:
        return f"the password of {login.user} is refused at {where}: correct {login.secret} in .env{again}", False
    if "does not exist" in reason:
        return f"{login.user} cannot log in at {where} ({reason}): {make}", False
    if "pg_hba.conf" in reason:
        return f"{where} lets {login.user} not in ({reason}): add a line to its pg_hba.conf", False
    named = f"{login.prefix}_HOST and {login.prefix}_PORT"
    return f"{where} does not answer ({reason}): check {named} in .env, and that PostgreSQL runs there", True
