"""Which tables an extractor has of chains: Meltano asks the extractor itself, so that no list of them is kept here.

It takes seconds, so it is for tasks. DAG files are read without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_ext.errors import AirflowExtError
from airflow_ext.isolation import clean_environ, meltano_words, system_directory
from airflow_ext.log_lines import RunLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PATIENCE_SECONDS = 20.0


def stem(chain: str) -> str:
    """What the names of a chain's streams begin with."""
    return chain.replace("-", "_")


def chain_tables(extractor: str, variable: str, chains: Sequence[str], root: Path) -> dict[str, tuple[str, ...]]:
    """Ask an extractor for the tables of chains, by chain; `variable` sets its setting `chains`.

    Raises:
        AirflowExtError: It does not answer, or has no such chain; its own sentence is in this one's.
    """
    return tables_of(_streams(extractor, {variable: json.dumps(list(chains))}, root), chains)


def tables_of(streams: Iterable[str], chains: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort streams by chain: each belongs to the longest name that it begins with."""
    found: dict[str, list[str]] = {chain: [] for chain in chains}
    for stream in streams:
        owner = max((one for one in found if stream.startswith(f"{stem(one)}_")), key=len, default=None)
        if owner is not None:
            found[owner].append(stream.removeprefix(f"{stem(owner)}_"))
    return {chain: tuple(tables) for chain, tables in found.items()}


def _streams(extractor: str, env: dict[str, str], root: Path) -> list[str]:
    """The streams of the extractor's catalog with these settings."""
    home = Path(os.environ.get("AIRFLOW_HOME") or root / ".state" / "airflow")
    environ = clean_environ(root, os.environ) | env
    with system_directory(root, home / "runs", os.environ) as system:
        environ["MELTANO_SYS_DIR_ROOT"] = str(system)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "airflow_ext.process_group", str(_PATIENCE_SECONDS)),
                *meltano_words(environ),
                *("invoke", "--no-install", extractor, "--discover"),
            ],
            cwd=root,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    try:
        if done.returncode == 0:
            return [str(one["stream"]) for one in json.loads(done.stdout)["streams"]]
    except (ValueError, KeyError, TypeError):
        pass
    log = RunLog()
    lines = [text for _, text in map(log.read, done.stderr.splitlines()) if text]
    said = "\n".join(log.errors or lines[-1:]) if done.returncode else ""
    said = said or f"it ended with status {done.returncode} and gave no catalog."
    raise AirflowExtError(f"{extractor} was asked for its tables: {said}")
