"""The DAG `backfill`: a task for each chain and day, in parallel as far as the pool allows, then one build."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_ext.builder import RAW_DATA, RUN_TYPES, broken, manifest_paths, project_root, verified
from airflow_ext.downloads import download_options
from airflow_ext.errors import AirflowExtError
from airflow_ext.operator import MeltanoOperator
from airflow_ext.options import Options, plugin_pool
from airflow_ext.project import load_project
from airflow_ext.tables import chain_tables, stem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_ext.project import Plugin

DAG_ID = "backfill"
LOAD, BUILD = "tap-blockchair--dumps target-postgres", "dbt-postgres:build"
_MOST_TASKS = 1000  # Airflow's own limit, core.max_map_length

DOC = """### What
Loads days of Blockchair's dumps that the daily run does not reach, a task for each chain and day, then builds the
marts.

### When
Only when somebody triggers it: by the form of this page, or by

```
meltano invoke airflow dags trigger backfill --conf \\
  '{"chains": ["bitcoin"], "tables": ["blocks"], "start_date": "2026-01-01", "end_date": "2026-01-31"}'
```

Both days are included. Without `tables` it is every table of the chain that the environment selects. The first task
asks the tap which chains and tables there are, and refuses others. How many tasks run at once is
the pool `dump_host`: 1 slot, more only with a `dumps_key` or a mirror of your own.

### If it fails
Clear the failed tasks: finished days stay finished. A new run over the same days loads what is missing, since each
chain and day has bookmarks of its own; `redo` loads them again. A run takes up to 1000 tasks.
"""


@dataclass(frozen=True)
class Request:
    """What is to be loaded; both days are included."""

    chains: tuple[str, ...]
    tables: tuple[str, ...]
    start: date
    end: date
    redo: bool


def _day(params: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(str(params[name]))
    except (KeyError, ValueError):
        raise AirflowExtError(f"{name} is {params.get(name)!r}; it has to be a day such as 2026-01-31.") from None


def _list(params: Mapping[str, Any], name: str) -> tuple[str, ...]:
    stated = params.get(name) or []
    if not isinstance(stated, list) or not all(isinstance(one, str) for one in stated):
        raise AirflowExtError(f"{name} is {stated!r}; it has to be a list of names.")
    return tuple(dict.fromkeys(stated))


def read_request(params: Mapping[str, Any], today: date) -> Request:
    """Check what was asked for on a day (UTC), whose own dumps are not published yet, without asking the extractor.

    Raises:
        AirflowExtError: It cannot be done, and why.
    """
    chains, tables = _list(params, "chains"), _list(params, "tables")
    if not chains:
        raise AirflowExtError("chains is empty; name one at least, such as bitcoin.")
    start, end = _day(params, "start_date"), _day(params, "end_date")
    if end < start:
        raise AirflowExtError(f"end_date {end} is before start_date {start}; exchange them.")
    if end >= today:
        raise AirflowExtError(
            f"end_date {end} is not published yet: dumps of a day come after its end (UTC). "
            f"The last day that can be asked for is {today - timedelta(days=1)}."
        )
    count = ((end - start).days + 1) * len(chains)
    if count > _MOST_TASKS:
        raise AirflowExtError(
            f"That is {count} tasks, and a run takes up to {_MOST_TASKS}; ask for fewer days or chains at a time."
        )
    return Request(chains, tables, start, end, bool(params.get("redo")))


def check_tables(request: Request, known: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse tables that no chain has: Meltano selects nothing by a name that matches nothing, and says nothing.

    Raises:
        AirflowExtError: A chain has none of the tables, or a table is none of any chain's.
    """
    for chain in request.chains:
        has = f"{chain} has {', '.join(known[chain])}"
        for table in request.tables:
            if not any(table in known[one] for one in request.chains):
                raise AirflowExtError(f"None of the chains has a table {table}; {has}.")
        if request.tables and not set(request.tables) & set(known[chain]):
            raise AirflowExtError(f"{chain} has none of these tables; it has {', '.join(known[chain])}.")


def plan(request: Request, known: Mapping[str, tuple[str, ...]], prefix: str) -> list[dict[str, Any]]:
    """What each mapped task gets: day by day, so that a run that is stopped leaves whole days."""
    found = []
    for offset in range((request.end - request.start).days + 1):
        day = (request.start + timedelta(days=offset)).isoformat()
        for chain in request.chains:
            tables = [name for name in known[chain] if name in request.tables]
            env = {
                f"{prefix}_CHAINS": json.dumps([chain]),
                f"{prefix}_START_DATE": day,
                f"{prefix}_END_DATE": day,
            }
            if tables:
                env[f"{prefix}__SELECT"] = json.dumps([f"{stem(chain)}_{name}.*" for name in tables])
            found.append(
                {
                    "env": env,
                    "state_suffix": f"backfill-{chain}-{day}",
                    "full_refresh": request.redo,
                    "part": f"{chain} {day}",
                }
            )
    return found


def parameters(today: date, chains: list[str]) -> dict[str, Param]:
    """The form in the UI, on a day (UTC), with the chains that are proposed."""
    yesterday = (today - timedelta(days=1)).isoformat()
    return {
        "chains": Param(
            default=chains,
            type="array",
            items={"type": "string"},
            title="Chains",
            description="Blockchair's path names, one a line, such as bitcoin or bitcoin-sv. "
            "`meltano invoke tap-blockchair --about --format=markdown` names all.",
        ),
        "tables": Param(
            default=[],
            type="array",
            items={"type": "string"},
            title="Tables",
            description="One a line, such as blocks. Empty: those that the environment selects.",
        ),
        "start_date": Param(default=yesterday, type="string", format="date", title="First day (UTC)"),
        "end_date": Param(default=yesterday, type="string", format="date", title="Last day (UTC), included"),
        "redo": Param(
            default=False, type="boolean", title="Redo", description="Load days again that were loaded before."
        ),
    }


def _proposed(extractor: Plugin) -> list[str]:
    """The chains that the project names for the extractor; none where it leaves them to the extractor."""
    try:
        stated = json.loads(extractor.values.get("chains") or "[]")
    except ValueError:
        return []
    return [str(one) for one in stated] if isinstance(stated, list) else []


def backfill_dag(environ: Mapping[str, str] | None = None) -> DAG:
    """The DAG; where the project has not what it needs, one that says so."""
    environ = os.environ if environ is None else environ
    try:
        project = load_project(manifest_paths(environ)[0])
        (load,) = project.blocks(LOAD)
        (build,) = project.blocks(BUILD)
        extractor = load.plugins[0]
        pools = [
            plugin_pool(extractor.airflow, extractor.name),
            plugin_pool(build.plugins[0].airflow, build.plugins[0].name),
        ]
    except AirflowExtError as error:
        return broken(DAG_ID, f"Backfill cannot be run: {error}")
    root = project_root(environ)
    prefix = extractor.variable("")[:-1]
    with DAG(
        dag_id=DAG_ID,
        schedule=None,
        start_date=Options().start,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        allowed_run_types=RUN_TYPES,
        # A fixed day, since a DAG that changed by itself would be a new version daily.
        params=parameters(date(2026, 1, 2), _proposed(extractor)),
        tags={"meltano", "backfill"},
        doc_md=f"{DOC}\n{verified(environ)}",
        default_args={"owner": "meltano", "retries": 2, "retry_delay": timedelta(minutes=1)},
    ) as dag:

        @task(task_id="plan", retries=0)
        def make_plan() -> list[dict[str, Any]]:
            try:
                request = read_request(get_current_context()["params"], datetime.now(UTC).date())
                known = chain_tables(extractor.name, extractor.variable("chains"), request.chains, root)
                check_tables(request, known)
            except AirflowExtError as error:
                raise AirflowFailException(str(error)) from None
            return plan(request, known, prefix)

        days = MeltanoOperator.partial(
            task_id="load",
            block=load.text,
            root=str(root),
            loader=load.plugins[-1].name,
            downloads=download_options(extractor),
            pool=pools[0] or "dump_host",
            map_index_template="{{ task.part }}",
            outlets=[RAW_DATA],
        ).expand_kwargs(make_plan())
        days >> MeltanoOperator(
            task_id="build", block=build.text, root=str(root), dbt=True, pool=pools[1] or "default_pool"
        )
    return dag
