"""The compiled project as the DAGs see it: plugins, jobs and schedules out of Meltano's manifest.

Nothing here imports Airflow or Meltano or starts a process, since DAG files are read every few seconds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_ext.errors import AirflowExtError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DBT = re.compile(r"^dbt([-_]|$)")


def _variable(plugin: str, setting: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9]', '_', plugin)}_{setting}".upper()


@dataclass(frozen=True)
class Plugin:
    """A plugin, with what it inherits."""

    name: str
    kind: str  # the manifest's word for its type, such as `extractors`
    settings: frozenset[str]
    commands: frozenset[str]
    airflow: Mapping[str, Any]
    dbt: bool  # or what it inherits
    values: Mapping[str, str]  # those that are set and not sensitive

    def variable(self, setting: str) -> str:
        """The environment variable by which Meltano reads a setting of this plugin."""
        return _variable(self.name, setting)


@dataclass(frozen=True)
class Block:
    """What one `meltano run` does: an extractor, mappers and a loader, or a plugin with a command."""

    text: str
    plugins: tuple[Plugin, ...]

    @property
    def extractor(self) -> Plugin | None:
        """The extractor, if the block loads."""
        return next((plugin for plugin in self.plugins if plugin.kind == "extractors"), None)

    @property
    def loader(self) -> Plugin | None:
        """The loader, if the block loads."""
        return next((plugin for plugin in self.plugins if plugin.kind == "loaders"), None)

    @property
    def dbt(self) -> bool:
        """Whether the block is dbt's."""
        return any(plugin.dbt for plugin in self.plugins)


@dataclass(frozen=True)
class Job:
    """A job: steps of words."""

    name: str
    steps: tuple[str, ...]
    airflow: Mapping[str, Any]


@dataclass(frozen=True)
class Schedule:
    """A schedule of a job; `job` is None where it names an extractor and a loader instead."""

    name: str
    job: str | None
    interval: str
    env: Mapping[str, str]
    airflow: Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """The project."""

    plugins: Mapping[str, Plugin]
    mappings: frozenset[str]
    jobs: Mapping[str, Job]
    schedules: tuple[Schedule, ...]

    def blocks(self, step: str) -> list[Block]:
        """Split a step of a job into blocks.

        Raises:
            AirflowExtError: A word is no plugin of the project, or extractor and loader do not pair up.
        """
        found: list[Block] = []
        open_words: list[str] = []
        open_plugins: list[Plugin] = []
        for word in step.split():
            plugin = self._plugin(word, step)
            if plugin is None or plugin.kind == "mappers":
                if not open_words:
                    raise AirflowExtError(f"`{word}` in `{step}` stands behind no extractor; put one before it.")
                open_words.append(word)
            elif plugin.kind == "extractors":
                if open_words:
                    raise AirflowExtError(f"`{open_words[0]}` in `{step}` has no loader; put one behind it.")
                open_words, open_plugins = [word], [plugin]
            elif plugin.kind == "loaders":
                if not open_words:
                    raise AirflowExtError(f"`{word}` in `{step}` has no extractor; put one before it.")
                found.append(Block(" ".join([*open_words, word]), (*open_plugins, plugin)))
                open_words, open_plugins = [], []
            elif open_words:
                raise AirflowExtError(f"`{open_words[0]}` in `{step}` has no loader; put one behind it.")
            else:
                found.append(Block(word, (plugin,)))
        if open_words:
            raise AirflowExtError(f"`{open_words[0]}` in `{step}` has no loader; put one behind it.")
        return found

    def _plugin(self, word: str, step: str) -> Plugin | None:
        """The plugin that a word means; None for a mapping of a mapper."""
        name, _, command = word.partition(":")
        plugin = self.plugins.get(name)
        if plugin is None:
            if word in self.mappings:
                return None
            raise AirflowExtError(
                f"`{word}` in `{step}` is no plugin of this project; add it to meltano.yml or correct the job."
            )
        if command and command not in plugin.commands:
            known = ", ".join(sorted(plugin.commands)) or "none"
            raise AirflowExtError(
                f"{name} has no command {command} (`{step}`); correct the job. Its commands: {known}."
            )
        return plugin


def _airflow(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    annotations = entry.get("annotations")
    stated = annotations.get("airflow") if isinstance(annotations, dict) else None
    # What is no object is an error of its owner alone, raised where the options are read.
    return {} if stated is None else stated if isinstance(stated, dict) else {"": stated}


def _plugins(stated: Mapping[str, list[dict[str, Any]]]) -> dict[str, Plugin]:
    raw = {entry["name"]: (kind, entry) for kind, entries in stated.items() for entry in entries or []}

    def ancestry(name: str) -> list[dict[str, Any]]:
        line: list[dict[str, Any]] = []
        while name in raw and raw[name][1] not in line:
            line.append(raw[name][1])
            name = str(line[-1].get("inherit_from") or "")
        return line

    found = {}
    for name, (kind, _) in raw.items():
        line = ancestry(name)
        settings = frozenset(one["name"] for entry in line for one in entry.get("settings") or [])
        compiled = line[0].get("env") or {}
        found[name] = Plugin(
            name=name,
            kind=kind,
            settings=settings,
            commands=frozenset(command for entry in line for command in entry.get("commands") or {}),
            airflow={key: value for entry in reversed(line) for key, value in _airflow(entry).items()},
            dbt=any(_DBT.match(str(entry.get(key) or "")) for entry in line[:1] for key in ("name", "executable")),
            values={one: str(compiled[_variable(name, one)]) for one in settings if _variable(name, one) in compiled},
        )
    return found


def parse_project(manifest: Mapping[str, Any]) -> Project:
    """Read a manifest.

    Raises:
        AirflowExtError: It is not one.
    """
    try:
        plugins = manifest.get("plugins") or {}
        jobs = [
            Job(
                name=job["name"],
                steps=tuple(task if isinstance(task, str) else " ".join(task) for task in job.get("tasks") or []),
                airflow=_airflow(job),
            )
            for job in manifest.get("jobs") or []
        ]
        schedules = [
            Schedule(
                name=one["name"],
                job=one.get("job"),
                interval=str(one.get("interval") or "@none").strip(),
                env={key: str(value) for key, value in (one.get("env") or {}).items()},
                airflow=_airflow(one),
            )
            for one in manifest.get("schedules") or []
        ]
        return Project(
            plugins=_plugins(plugins),
            mappings=frozenset(
                one["name"] for mapper in plugins.get("mappers") or [] for one in mapper.get("mappings") or []
            ),
            jobs={job.name: job for job in jobs},
            schedules=tuple(schedules),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise AirflowExtError(
            f"The manifest is not as `meltano compile` writes it ({type(error).__name__}: {error}); "
            "run `meltano invoke airflow:manifest`."
        ) from error


def load_project(path: Path) -> Project:
    """Read the manifest file.

    Raises:
        AirflowExtError: It is missing or unreadable; what to do is in the sentence.
    """
    try:
        return parse_project(json.loads(path.read_text()))
    except FileNotFoundError:
        raise AirflowExtError(f"{path.name} was never compiled; run `meltano invoke airflow:initialize`.") from None
    except (OSError, ValueError) as error:
        raise AirflowExtError(
            f"{path.name} cannot be read ({error}); run `meltano invoke airflow:manifest`."
        ) from error
