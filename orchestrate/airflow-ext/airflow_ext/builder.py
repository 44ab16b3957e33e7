"""Makes the DAGs: one for each schedule of a job, and one without a clock for each job that has none."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Asset, CronTriggerTimetable, Param, TaskGroup
from airflow.sdk.api.datamodels._generated import DagRunType  # what a DAG takes; the SDK exports it nowhere else
from croniter import croniter  # type: ignore[import-untyped]

from airflow_ext.downloads import download_options
from airflow_ext.errors import AirflowExtError
from airflow_ext.operator import BrokenOperator, MeltanoOperator
from airflow_ext.options import Options, plugin_pool, read_options
from airflow_ext.project import Block, Job, Project, Schedule, load_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RAW_DATA = Asset("raw_data")
# Not Airflow's own backfill: it repeats a schedule's run for times gone by, and bookmarks leave it nothing to load. The
# DAG `backfill` loads days that are missing.
RUN_TYPES = [kind for kind in DagRunType if kind is not DagRunType.BACKFILL]
PROJECT_DAG = "meltano-project"
RESERVED = frozenset({"backfill", PROJECT_DAG})
_MANUAL = frozenset({"@once", "@manual", "@none", ""})
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_BAD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 200


def identifier(text: str) -> str:
    """A text as Airflow allows it in the name of a DAG or task; what had to be changed much gets a mark of its own."""
    cleaned = _BAD.sub("_", text)
    if not cleaned.strip("_") or len(cleaned) > _LONGEST:
        cleaned = f"{cleaned.strip('_')[:_LONGEST]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("_")
    return cleaned


def unique(name: str, taken: set[str]) -> str:
    """The name, or with a number if it is taken; notes it as taken."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found


def project_root(environ: Mapping[str, str]) -> Path:
    """The project: what Meltano says, else the folder that AIRFLOW_HOME lies in."""
    stated = environ.get("MELTANO_PROJECT_ROOT")
    return Path(stated) if stated else Path(environ["AIRFLOW_HOME"]).parents[1]


def manifest_paths(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """The manifest of this environment, and where stands why it could not be compiled."""
    root = project_root(environ)
    folder = Path(environ.get("AIRFLOW_HOME") or root / ".state" / "airflow") / "manifests"
    environment = environ.get("MELTANO_ENVIRONMENT") or "local"
    return folder / f"meltano-manifest.{environment}.json", folder / f"error.{environment}.txt"


def build(environ: Mapping[str, str] | None = None) -> dict[str, DAG]:
    """All DAGs of the project, by id; what cannot be run is a DAG that says why and fails."""
    environ = os.environ if environ is None else environ
    manifest, error = manifest_paths(environ)
    found: dict[str, DAG] = {}
    if error.is_file():
        reason = error.read_text().strip()
        found[PROJECT_DAG] = broken(PROJECT_DAG, f"{reason} The DAGs are those of the last manifest that was good.")
    try:
        project = load_project(manifest)
    except AirflowExtError as problem:
        found.setdefault(PROJECT_DAG, broken(PROJECT_DAG, str(problem)))
        return found
    taken = set(RESERVED)
    root = project_root(environ)
    for schedule in _schedules(project):
        dag_id = unique(identifier(schedule.name), taken)
        try:
            found[dag_id] = schedule_dag(dag_id, schedule, project, root)
        # Airflow's own refusals too: one bad schedule must not take the others with it.
        except Exception as problem:  # noqa: BLE001
            found[dag_id] = broken(dag_id, f"Schedule {schedule.name} cannot be run: {problem}", schedule.name)
    return found


def _schedules(project: Project) -> Iterator[Schedule]:
    yield from project.schedules
    scheduled = {one.job for one in project.schedules}
    for job in project.jobs.values():
        if job.name not in scheduled:
            yield Schedule(name=job.name, job=job.name, interval="@manual", env={}, airflow={})


def broken(dag_id: str, reason: str, name: str | None = None) -> DAG:
    """A DAG that runs once, at once, and fails with a sentence."""
    with DAG(
        dag_id=dag_id,
        dag_display_name=name or dag_id,
        schedule="@once",
        start_date=Options().start,
        catchup=False,
        is_paused_upon_creation=False,
        allowed_run_types=RUN_TYPES,
        tags={"meltano", "broken"},
        doc_md=f"""**This cannot be run.** {reason}

Mend it; the DAG follows within a minute.

{verified(os.environ)}""",
    ) as dag:
        BrokenOperator(task_id="broken", reason=reason)
    return dag


def _timetable(schedule: Schedule, options: Options) -> CronTriggerTimetable | list[Asset] | None:
    if options.follow:
        return [Asset(name) for name in options.follow]
    if schedule.interval in _MANUAL:
        return None
    expression = _PRESETS.get(schedule.interval, schedule.interval)
    if not croniter.is_valid(expression):
        raise AirflowExtError(
            f"its interval {schedule.interval!r} is no cron expression; correct it with "
            f"`meltano schedule set {schedule.name} --interval ...`."
        )
    return CronTriggerTimetable(expression, timezone=options.timezone)


def parameters() -> dict[str, Param]:
    """The form of a triggered run."""
    return {
        "full_refresh": Param(
            default=False,
            type="boolean",
            title="Full refresh",
            description="Load from the start, whatever the bookmarks say; dbt builds its incremental models anew.",
        ),
        "state_suffix": Param(
            default=None,
            type=["null", "string"],
            pattern="^[A-Za-z0-9_.-]*$",
            title="State suffix",
            description="Keep bookmarks of their own for this run, under this name.",
        ),
        "start_date": Param(
            default=None,
            type=["null", "string"],
            format="date",
            title="Start date",
            description="For extractors that have one. Without a suffix, dates have bookmarks of their own.",
        ),
        "end_date": Param(default=None, type=["null", "string"], format="date", title="End date"),
    }


def schedule_dag(dag_id: str, schedule: Schedule, project: Project, root: Path) -> DAG:
    """The DAG of a schedule.

    Raises:
        AirflowExtError: It cannot be run, and why.
    """
    if schedule.job is None:
        raise AirflowExtError("it names an extractor and a loader; put them into a job and schedule that.")
    job = project.jobs.get(schedule.job)
    if job is None:
        raise AirflowExtError(
            f"the job {schedule.job} does not exist; add it with `meltano job add`, or name one of: "
            f"{', '.join(sorted(project.jobs)) or '(there is none)'}."
        )
    options = read_options(job.airflow, schedule.airflow)
    steps = [(step, project.blocks(step)) for step in job.steps]
    if not any(blocks for _, blocks in steps):
        raise AirflowExtError(f"the job {job.name} has no tasks; give it some with `meltano job set`.")
    with DAG(
        dag_id=dag_id,
        dag_display_name=schedule.name,
        description=f"{job.name}: {', '.join(job.steps)}"[:1000],
        schedule=_timetable(schedule, options),
        start_date=options.start,
        catchup=options.catchup,
        max_active_runs=1,
        allowed_run_types=RUN_TYPES,
        tags={"meltano", job.name[:100], *options.tags},
        params=parameters(),
        doc_md=documentation(schedule, job, options),
        default_args={
            "owner": options.owner,
            "retries": options.retries,
            "retry_delay": options.retry_delay,
            "execution_timeout": options.timeout,
        },
    ) as dag:
        _tasks(steps, schedule, options, root)
    return dag


def _tasks(steps: list[tuple[str, list[Block]]], schedule: Schedule, options: Options, root: Path) -> None:
    taken: set[str] = {f"step_{number}" for number in range(1, len(steps) + 1)}
    before = None
    for number, (step, blocks) in enumerate(steps, 1):
        with TaskGroup(f"step_{number}", group_display_name=step, prefix_group_id=False):
            for block in blocks:
                task = block_operator(block, root, options, unique(identifier(block.text), taken), dict(schedule.env))
                if before is not None:
                    before >> task
                before = task


def block_operator(block: Block, root: Path, options: Options, task_id: str, env: dict[str, str]) -> MeltanoOperator:
    """The task of a block."""
    pools = [plugin_pool(plugin.airflow, plugin.name) for plugin in block.plugins]
    extractor, loader = block.extractor, block.loader
    return MeltanoOperator(
        task_id=task_id,
        block=block.text,
        root=str(root),
        loader=loader.name if loader else None,
        dbt=block.dbt,
        env=env,
        date_variables={
            name: extractor.variable(name)
            for name in ("start_date", "end_date")
            if extractor is not None and name in extractor.settings
        },
        downloads=download_options(extractor) if extractor is not None else None,
        pool=options.pool or next((pool for pool in pools if pool), "default_pool"),
        outlets=[RAW_DATA] if loader else [],
    )


def report_url(environ: Mapping[str, str]) -> str:
    """Where browsers find the warehouse's reconciliation report."""
    return f"{environ.get('AIRFLOW__API__BASE_URL', '').rstrip('/')}/reconciliation/"


def verified(environ: Mapping[str, str]) -> str:
    """The end of every DAG's documentation: where stands what the warehouse has verified."""
    return f"""### What was verified
The [reconciliation report]({report_url(environ)}) shows, per chain and day, which checks held, which could not be
made and why, and which blocks failed one. A failed check stops the build before a mart is replaced.
"""


def documentation(schedule: Schedule, job: Job, options: Options) -> str:
    """What the DAG's page says: what, when, and what to do if it fails."""
    clock = f"`{schedule.interval}` ({options.timezone})"
    if options.follow:
        clock = f"whenever new data came: {', '.join(options.follow)}"
    elif schedule.interval in _MANUAL:
        clock = "when somebody triggers it"
    steps = "\n".join(f"{number}. `meltano run {step}`" for number, step in enumerate(job.steps, 1))
    return f"""### What
The job `{job.name}` of Meltano:

{steps}

### When
Runs {clock}. Change that with `meltano schedule set {schedule.name} --interval ...`; this page follows within a minute.

### If it fails
A task is tried {options.retries} times again. Then open its log: the last line says why. Clear the task when the cause
is gone: it goes on from its bookmark, finished days are not loaded again. By hand it is `meltano run {job.name}`, the
same with the bookmarks of this DAG.

### Parameters
`full_refresh` loads from the start. `start_date` and `end_date` apply to extractors that have such settings; they need
bookmarks of their own, so without `state_suffix` they get `from-START-to-END`.

{verified(os.environ)}"""
