"""The operator that runs one block of Meltano as one task of Airflow."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_ext.alerts import task_failed
from airflow_ext.downloads import own_downloads
from airflow_ext.errors import AirflowExtError
from airflow_ext.isolation import clean_environ, meltano_words, system_directory
from airflow_ext.log_lines import RunLog, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE_SECONDS = 20.0
_MOST_NODES = 10
_NAMESPACE = uuid.UUID("5d3c7a43-2bd5-4b0e-8a29-6f1f1d7f4f80")


def run_id(dag_id: str, dag_run: str, task_id: str, map_index: int) -> str:
    """The name of a run in Meltano and in the load ledger; a retry has its first try's."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join([dag_id, dag_run, task_id, str(map_index)])))


def failed_nodes(target: Path) -> list[str]:
    """What dbt's run_results.json in a target folder says of failures, a line a node."""
    try:
        results = json.loads((target / "run_results.json").read_text())["results"]
        bad = [one for one in results if one.get("status") in {"error", "fail", "runtime error"}]
        found = [f"{one['unique_id']}: {' '.join(str(one.get('message') or one['status']).split())}" for one in bad]
        found = [visible(one) for one in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    more = len(found) - _MOST_NODES
    return [*found[:_MOST_NODES], *([f"and {more} more"] if more > 0 else [])]


class MeltanoOperator(BaseOperator):
    """Runs `meltano run BLOCK`, isolated from every other run.

    The DAG's parameters full_refresh, state_suffix, start_date and end_date apply where the block knows them.

    Args:
        block: The block.
        root: The project.
        loader: The block's loader, whose rows are counted.
        dbt: Whether the block is dbt's.
        date_variables: By `start_date` and `end_date`: the variable that sets it for the block's extractor.
        env: Small public values for the environment; never a secret, Airflow stores them.
        state_suffix: Suffix of the state id; the parameter of that name wins.
        full_refresh: Load whatever the bookmarks say; so does the parameter of that name.
        downloads: Where the block's extractor downloads to, as `download_options` says.
        part: Name of a mapped task.
    """

    template_fields: Sequence[str] = ("block", "part")
    ui_color = "#e8eefc"

    def __init__(  # noqa: PLR0913 - a task's parameters, by name
        self,
        *,
        block: str,
        root: str,
        loader: str | None = None,
        dbt: bool = False,
        date_variables: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
        state_suffix: str | None = None,
        full_refresh: bool = False,
        downloads: dict[str, Any] | None = None,
        part: str = "",
        **kwargs: Any,  # noqa: ANN401 - Airflow's own
    ) -> None:
        kwargs.setdefault("on_failure_callback", task_failed)
        super().__init__(**kwargs)
        self.block, self.root, self.loader, self.dbt = block, root, loader, dbt
        self.date_variables, self.env = date_variables or {}, env or {}
        self.state_suffix, self.full_refresh, self.part = state_suffix, full_refresh, part
        self.downloads = downloads
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, object]:  # noqa: ANN401 - Airflow's own
        """Run the block; returns the run's id, and the rows it loaded.

        Raises:
            AirflowException: It failed, and why.
        """
        instance, params = context["ti"], context.get("params") or {}
        root = Path(self.root)
        name = run_id(instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
        home = Path(os.environ.get("AIRFLOW_HOME") or root / ".state" / "airflow")
        environ = clean_environ(root, os.environ)
        log = RunLog(loader=self.loader)
        with ExitStack() as stack:
            system = stack.enter_context(system_directory(root, home / "runs", os.environ))
            target = system / "dbt-target"
            environ |= self.env | self._parameters(params)
            environ["MELTANO_SYS_DIR_ROOT"] = str(system)
            environ["DBT_LOG_PATH"] = str(system / "dbt-logs")
            # The docs site is to stay, and what is no block of dbt's, such as the data docs, reads what dbt left.
            if self.dbt and not self.block.endswith(":docs-generate"):
                environ["DBT_TARGET_PATH"] = str(target)
            if self.loader is not None:
                environ[f"{self.loader.replace('-', '_')}_run_id".upper()] = name
            locks = self._own_downloads(stack, environ, params)
            command = self._command(environ, name, params, again=instance.try_number > 1)
            status = self._run(command, environ, log, locks)
            if status:
                nodes = failed_nodes(target) if self.dbt else []
                raise AirflowException(self._reason(status, nodes, log))
        if self.loader is not None:
            self.log.info("%s rows loaded.", f"{log.rows:,}")
        return {"run_id": name, "rows": log.rows if self.loader is not None else None}

    def _parameters(self, params: Mapping[str, Any]) -> dict[str, str]:
        """What the run's parameters are in the environment."""
        found = {variable: str(params[name]) for name, variable in self.date_variables.items() if params.get(name)}
        if self.dbt and params.get("full_refresh"):
            found["DBT_FULL_REFRESH"] = "true"
        return found

    def _own_downloads(self, stack: ExitStack, environ: dict[str, str], params: Mapping[str, Any]) -> tuple[int, ...]:
        """Give the block a folder for its downloads until the stack is left; returns the lock's descriptor, if any."""
        if self.downloads is None:
            return ()
        words = [environ.get("MELTANO_ENVIRONMENT"), self.block.split()[0], self.loader, self._suffix(params)]
        state = re.sub(r"[^A-Za-z0-9_.-]", "_", ".".join(word for word in words if word))
        try:
            own = stack.enter_context(own_downloads(self.downloads, Path(self.root), state, self.log.info))
        except AirflowExtError as error:
            raise AirflowException(str(error)) from None
        environ |= own.environ
        return (own.lock,)

    def _suffix(self, params: Mapping[str, Any]) -> str | None:
        if self.loader is None:
            return None
        stated = params.get("state_suffix") or self.state_suffix
        dates = [str(params.get(name) or "") for name in ("start_date", "end_date")]
        if not stated and any(dates) and self.date_variables:
            # A bookmark wins over a start date, so a run with dates has bookmarks of its own.
            stated = f"from-{dates[0] or 'start'}-to-{dates[1] or 'end'}"
        return str(stated) if stated else None

    def _command(self, environ: Mapping[str, str], name: str, params: Mapping[str, Any], *, again: bool) -> list[str]:
        suffix = self._suffix(params)
        refresh = self.loader is not None and (self.full_refresh or params.get("full_refresh"))
        return [
            *meltano_words(environ),
            *("run", "--no-install", f"--run-id={name}"),
            # What a killed try left says for minutes that it still runs.
            *(["--force"] if again else []),
            *(["--full-refresh"] if refresh else []),
            *([f"--state-id-suffix={suffix}"] if suffix else []),
            *self.block.split(),
        ]

    def _run(self, command: list[str], environ: dict[str, str], log: RunLog, locks: tuple[int, ...]) -> int:
        """Run a command to its end, with its lines in the task's log; returns its status, as a shell would.

        What watches its process group holds the locks too, so that they are free when all it started has ended.
        """
        self.log.info("%s", " ".join(["meltano", *command[1:]]))
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow_ext.process_group", str(_PATIENCE_SECONDS), *command],
            cwd=self.root,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
            pass_fds=locks,
        )
        self._process = process
        try:
            for line in process.stdout or ():
                level, text = log.read(line.rstrip("\n"))
                if text:
                    self.log.log(level, "%s", text)
            status = process.wait()
            return 128 - status if status < 0 else status
        finally:
            self._end(process)
            self._process = None

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Leave no process, whatever ended the wait: a timeout, a signal, or the end of the run."""
        try:
            if process.poll() is None:
                self._signal(process, signal.SIGTERM)
                try:
                    process.wait(_PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    self.log.warning("The run does not end; it is killed.")
            self._signal(process, signal.SIGKILL)
            process.wait()
        finally:
            if process.stdout:
                process.stdout.close()

    @staticmethod
    def _signal(process: subprocess.Popen[str], number: int) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return

    def on_kill(self) -> None:
        """End the run and all it started; what does not end in time is killed."""
        if (process := self._process) is None:
            return
        self._signal(process, signal.SIGTERM)

        def kill() -> None:
            if self._process is process:
                self._signal(process, signal.SIGKILL)

        timer = threading.Timer(_PATIENCE_SECONDS, kill)
        timer.daemon = True
        timer.start()

    def _reason(self, status: int, nodes: list[str], log: RunLog) -> str:
        """Why it failed, for a person: the innermost cause in the first line, and what else was said below it."""
        cause = (log.failed_checks or nodes or [log.cause])[0]
        sentence = f"`meltano run {self.block}` failed with status {status}{f': {cause}' if cause else '.'}"
        parts = [*log.failed_checks, *nodes] or list(log.errors)
        return "\n".join([sentence, *(part for part in parts if part != cause)])


class BrokenOperator(BaseOperator):
    """Fails with a sentence: how a schedule that cannot be run shows itself."""

    def __init__(self, *, reason: str, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.reason = reason

    def execute(self, context: Any) -> None:  # noqa: ANN401, ARG002 - Airflow's own
        """Fail.

        Raises:
            AirflowFailException: Always; another try would fail too.
        """
        raise AirflowFailException(self.reason)
