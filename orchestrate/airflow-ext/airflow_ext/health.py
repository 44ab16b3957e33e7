"""What `airflow:check` finds right and wrong."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_ext.database import check_migrated, connect
from airflow_ext.errors import AirflowExtError
from airflow_ext.manifest import project_files
from airflow_ext.secrets import read_secrets
from airflow_ext.settings import airflow_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg

    from airflow_ext.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool | None  # None where it is not there to be asked
    says: str  # what is the matter, and what to do


def examine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything; nothing is changed."""
    found = []
    try:
        airflow = airflow_environ(settings, environ, read_secrets(settings, environ))
        found.append(Finding("secrets", ok=True, says="made, and the same for every process"))
    except AirflowExtError as error:
        return [Finding("secrets", ok=False, says=str(error))]
    try:
        with connect(airflow) as connection:
            found.append(Finding("database", ok=True, says="answers"))
            check_migrated(connection)
            found.append(Finding("tables", ok=True, says="of this version"))
            found.extend(_import_errors(connection))
    except AirflowExtError as error:
        found.append(Finding("database", ok=False, says=str(error)))
    found.append(_manifest(settings))
    found.append(_address("UI's address", settings.base_url, "AIRFLOW_BASE_URL", settings))
    found.append(_address("tasks' address", settings.execution_api_url, "AIRFLOW_EXECUTION_API_URL", settings))
    found.extend(_components(settings))
    return found


def _import_errors(connection: psycopg.Connection) -> Iterator[Finding]:
    rows = connection.execute("select filename, stacktrace from import_error order by filename").fetchall()
    for name, trace in rows:
        last = str(trace).strip().splitlines()[-1] if trace else "no reason given"
        yield Finding("DAG file", ok=False, says=f"{name} cannot be read: {last}")
    if not rows:
        yield Finding("DAG files", ok=True, says="no errors")


def _manifest(settings: Settings) -> Finding:
    if settings.manifest_error.is_file():
        return Finding("manifest", ok=False, says=settings.manifest_error.read_text().strip())
    if not settings.manifest.is_file():
        return Finding("manifest", ok=False, says="missing: run `meltano invoke airflow:initialize`")
    made = settings.manifest.stat().st_mtime
    newer = [path for path in project_files(settings.root) if path.is_file() and path.stat().st_mtime > made]
    if newer:
        names = ", ".join(str(path.relative_to(settings.root)) for path in newer)
        return Finding("manifest", ok=False, says=f"older than {names}: run `meltano invoke airflow:manifest`")
    return Finding("manifest", ok=True, says="newer than the project's files")


def _address(what: str, stated: str, variable: str, settings: Settings) -> Finding:
    """Whether an address leads to the API server's port; of a name beyond this machine nothing can be said here."""
    try:
        url = urlsplit(stated)
        port = url.port or {"http": 80, "https": 443}[url.scheme]
    except (ValueError, KeyError):
        return Finding(
            what, ok=False, says=f"{stated} is no address; {variable} has to be one such as http://HOST:PORT"
        )
    if url.hostname not in _LOOPBACK or settings.host not in _LOOPBACK:
        return Finding(what, ok=True, says=f"{stated}, by a proxy or a published port")
    if port == settings.port or "scheduler" in (reported_health(f"{url.scheme}://{url.netloc}") or {}):
        return Finding(what, ok=True, says=stated)
    says = f"{stated}, but the API server's port is {settings.port}; unset {variable}, or let it name a proxy that runs"
    return Finding(what, ok=False, says=says)


def reported_health(address: str) -> dict[str, dict[str, object] | None] | None:
    """What the API server at an address reports of Airflow's components; None where it gives no such answer."""
    try:
        with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _components(settings: Settings) -> Iterator[Finding]:
    health = reported_health(settings.local_url)
    if health is None:
        yield Finding("API server", ok=None, says=f"nothing answers at {settings.local_url}; `airflow:up` starts it")
        return
    yield Finding("API server", ok=True, says=f"answers at {settings.local_url}")
    for name, label in (
        ("metadatabase", "its database"),
        ("scheduler", "scheduler"),
        ("dag_processor", "DAG processor"),
    ):
        status = (health.get(name) or {}).get("status")
        yield Finding(label, ok=status == "healthy", says=str(status or "never seen"))


def as_json(found: list[Finding]) -> str:
    """For programs."""
    return json.dumps([asdict(finding) for finding in found], indent=2)


def as_text(found: list[Finding]) -> str:
    """For people: one line each."""
    marks = {True: "ok", False: "WRONG", None: "-"}
    return "\n".join(f"{finding.what:14} {marks[finding.ok]:6} {finding.says}" for finding in found)
