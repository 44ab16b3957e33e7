"""Whether all is well, asked from outside of Airflow: what is late, what fails, what does not answer."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from console.errors import ConsoleError
from console.project import Project
from console.promises import Fact, Verdict, judge
from console.services import status
from console.warehouse import connected

_GIGABYTE = 1_000_000_000
_LEAST_DISK = 3 * _GIGABYTE
_SECONDS = 20

# Days come from what a load replaced whole, whose name ends with its day; loads of the tip name heights.
_STREAMS = r"""
select
    table_name,
    max(cast(right(unit, 10) as date)) filter (where unit ~ '/\d{4}-\d\d-\d\d$'),
    max(loaded_at)
from raw_data.load_ledger group by table_name order by table_name
"""
# Watermarks say when a mart was last built to its end; one that an older release had is no longer there.
_MARTS = """
select model_name, null, applied_at from intermediate.model_watermarks
where exists (select from pg_class where relname = model_name and relnamespace = 'analytics'::regnamespace)
order by model_name
"""
_CHECKS = """
select coalesce(sum(failed_count), 0)::bigint, string_agg(distinct chain || ' ' || check_name, ', ')
from analytics.fct_dq_results where failed_count > 0
"""
# Of a serving database, as `warehouse unite` and its --check wrote it down.
_UNITED = """
select chain, is_reachable, problem, checked_at, newest_load is distinct from copied_load, now() - checked_at > '1 day'
from analytics.rpt_united_chains order by chain
"""
# Months of which raw rows are only in dump files: their days stand in the marts as they were verified.
_ARCHIVED = """
select distinct chain || ' ' || to_char(month, 'YYYY-MM') from raw_data.archived_months order by 1
"""
# As the planner counts, since a count of every row would take as long as a build.
_ROWS = """
select n.nspname || '.' || c.relname, sum(greatest(p.reltuples, 0))::bigint
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join lateral (
    select relid from pg_partition_tree(c.oid) where isleaf
    union select c.oid where c.relkind = 'r'
) as leaf on true
join pg_class as p on p.oid = leaf.relid
where n.nspname in ('raw_data', 'analytics') and c.relkind in ('r', 'p') and not c.relispartition
group by 1 order by 1
"""


@dataclass
class Health:
    """What was found.

    Attributes:
        asked_at: When, UTC.
        problems: A sentence for each thing that is wrong; empty when all is well.
        verdicts: Of each stream and mart.
        united: Chains whose warehouses this one unites, where it is a serving database.
        failed_checks: Blocks or days that a data-quality check fails, as the last build counted.
        archived: Months of which raw rows are only in the archive, such as `bitcoin 2024-01`.
        rows: Of each table, as the planner estimates.
        size: Of the database in bytes.
        disk_free: Bytes where the project lies.
        disk_total: Bytes there in all.
    """

    asked_at: datetime
    problems: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    united: list[str] = field(default_factory=list)
    failed_checks: int = 0
    archived: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    size: int = 0
    disk_free: int = 0
    disk_total: int = 0

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def line(self) -> str:
        """All of it in one line."""
        if self.problems:
            return f"not well, {len(self.problems)} problems: {'; '.join(self.problems)}"
        if self.united:
            return f"well: the warehouses of {', '.join(self.united)} answered when last asked, none is behind"
        counts = {kind: sum(one.fact.kind == kind for one in self.verdicts) for kind in ("stream", "mart")}
        days = [one.fact.day for one in self.verdicts if one.fact.day]
        newest = f", newest day {max(days)}" if days else ""
        archived = f", {len(self.archived)} raw months are only in the archive" if self.archived else ""
        in_time = f"{counts['stream']} streams and {counts['mart']} marts are in time"
        return f"well: {in_time}{newest}, no check fails{archived}"

    def as_json(self) -> dict[str, Any]:
        """All of it for programs; times are UTC, sizes bytes, lags seconds."""
        return {
            "well": self.is_well,
            "asked_at": self.asked_at.isoformat(),
            "problems": self.problems,
            "failed_checks": self.failed_checks,
            "archived_months": self.archived,
            "database_bytes": self.size,
            "disk_free_bytes": self.disk_free,
            "watched": [
                {
                    "name": one.fact.name,
                    "kind": one.fact.kind,
                    "day": str(one.fact.day) if one.fact.day else None,
                    "at": one.fact.at.isoformat(),
                    "due": one.due.isoformat() if one.due else None,
                    "lag_seconds": int(one.lag.total_seconds()),
                    "late": one.is_late,
                }
                for one in self.verdicts
            ],
        }


def examine(
    project: Project, environ: Mapping[str, str], environment: str, own: Mapping[str, int], *, scheduler: bool | None
) -> Health:
    """Look at warehouse, promises, checks, disk and scheduler; nothing is changed.

    Args:
        project: Where.
        environ: Variables, `.env` included.
        environment: Whose warehouse.
        own: Hours of promises by patterns of names.
        scheduler: Whether Airflow's scheduler has to run; None asks where Airflow was set up.
    """
    found = Health(datetime.now(UTC))
    try:
        with connected(project, environ, environment) as connection:
            _ask(connection, found, _today(project, environ, environment, found.asked_at), own)
    except (ConsoleError, psycopg.Error) as error:
        found.problems.append(str(error).strip().splitlines()[0])
    found.disk_total, _, found.disk_free = shutil.disk_usage(project.root)
    if found.disk_free < _LEAST_DISK:
        free = f"{found.disk_free / _GIGABYTE:.1f} GB"
        found.problems.append(f"{free} are free where the project lies, less than {_LEAST_DISK // _GIGABYTE}")
    if scheduler if scheduler is not None else _has_airflow(project, environ):
        found.problems += _airflow(project, environ)
    return found


def call(url: str) -> str:
    """Call a heartbeat URL; returns why it was not delivered, or nothing."""
    if not url.startswith(("https://", "http://")):
        return "the heartbeat's address has to begin with https:// or http://"
    try:
        urllib.request.urlopen(url, timeout=_SECONDS).close()  # noqa: S310 - looked at above
    except (OSError, ValueError) as error:
        # The address is a secret of its own, and some errors name it.
        code = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        return f"the heartbeat was not delivered ({code})"
    return ""


def _today(project: Project, environ: Mapping[str, str], environment: str, now: datetime) -> datetime:
    """The time at the source: a simulated one has a clock of its own, which may stand still."""
    if environment != "local":
        return now
    running = status(project, environ, "simulator")
    return datetime.fromisoformat(str(running["now"])).astimezone(UTC) if running else now


def _ask(connection: "psycopg.Connection[Any]", found: Health, today: datetime, own: Mapping[str, int]) -> None:
    facts = [
        Fact(name, kind, day, at.astimezone(UTC))
        for kind, table, query in (
            ("stream", "raw_data.load_ledger", _STREAMS),
            ("mart", "intermediate.model_watermarks", _MARTS),
        )
        if _exists(connection, table)
        for name, day, at in connection.execute(query.encode()).fetchall()
    ]
    found.verdicts = judge(facts, found.asked_at, today, own)
    late = [one for one in found.verdicts if one.is_late]
    found.problems += _sentences(late)
    if _exists(connection, "analytics.rpt_united_chains"):
        # It loads and builds nothing itself, and whether checks fail is asked of each chain's own warehouse.
        _ask_chains(connection, found)
    else:
        _ask_marts(connection, found, facts)
    found.rows = dict(connection.execute(_ROWS).fetchall())
    ((found.size,),) = connection.execute("select pg_database_size(current_database())").fetchall()


def _ask_marts(connection: "psycopg.Connection[Any]", found: Health, facts: list[Fact]) -> None:
    for kind, advice in (("stream", "nothing is loaded"), ("mart", "no mart is built")):
        if not any(fact.kind == kind for fact in facts):
            found.problems.append(f"{advice} yet")
    if _exists(connection, "analytics.fct_dq_results"):
        found.failed_checks, names = connection.execute(_CHECKS).fetchone() or (0, None)
        if found.failed_checks:
            found.problems.append(f"{found.failed_checks:,} data-quality checks fail ({names})")
    if _exists(connection, "raw_data.archived_months"):
        found.archived = [month for (month,) in connection.execute(_ARCHIVED).fetchall()]


def _ask_chains(connection: "psycopg.Connection[Any]", found: Health) -> None:
    """Which chains a serving database lacks, or has of an older build."""
    for chain, is_reachable, problem, at, is_behind, is_old in connection.execute(_UNITED.encode()).fetchall():
        found.united.append(chain)
        if not is_reachable:
            found.problems.append(f"{chain} is missing: {problem.rstrip('.')}")
        elif is_behind:
            found.problems.append(f"rows kept here of {chain} are of an older build: run `warehouse unite`")
        if is_old:
            found.problems.append(
                f"{chain} was last looked at {at:%Y-%m-%d %H:%M}: let `warehouse unite --check` run by the clock"
            )


def _sentences(late: list[Verdict]) -> list[str]:
    """A sentence for each late stream; one for all marts, which one build makes."""
    said = [one.sentence() for one in late if one.fact.kind == "stream"]
    marts = sorted((one for one in late if one.fact.kind == "mart"), key=lambda one: one.fact.at)
    if marts:
        more = f" (and {len(marts) - 1} more marts)" if len(marts) > 1 else ""
        said.append(f"{marts[0].sentence()}{more}: a build failed, or none was started")
    return said


def _exists(connection: "psycopg.Connection[Any]", table: str) -> bool:
    return connection.execute("select to_regclass(%s) is not null", (table,)).fetchone() == (True,)


def _has_airflow(project: Project, environ: Mapping[str, str]) -> bool:
    return bool(environ.get("AIRFLOW_EXECUTION_API_URL")) or (project.root / ".state" / "airflow").is_dir()


def _airflow(project: Project, environ: Mapping[str, str]) -> list[str]:
    port = environ.get("AIRFLOW_PORT") or "57480"
    address = environ.get("AIRFLOW_EXECUTION_API_URL") or f"http://127.0.0.1:{port}"
    done = subprocess.run(
        [sys.executable, str(project.root / "orchestrate" / "healthcheck.py"), "scheduler", "dag-processor"],
        env={**os.environ, "AIRFLOW_EXECUTION_API_URL": address},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    said = (done.stdout or done.stderr).strip().splitlines()
    return [f"Airflow: {line}" for line in dict.fromkeys(said)] if done.returncode else []
