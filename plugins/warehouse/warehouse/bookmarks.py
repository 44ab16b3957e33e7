"""Meltano's bookmarks of one environment, through Meltano's own commands, whatever store they lie in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

States = dict[str, Any]


@dataclass(frozen=True)
class Bookmarks:
    """The bookmarks of an environment of a project.

    Attributes:
        root: The project.
        environment: Whose state ids count: those that begin with its name and a colon.
        store: Where they lie, as MELTANO_DATABASE_URI says it; None for where the environment's commands keep them.
        env_file: What Meltano reads in place of `.env`.
    """

    root: Path
    environment: str
    store: str | None = None
    env_file: Path | None = None

    def read(self) -> States:
        """All states by their ids.

        Raises:
            WarehouseError: Meltano failed.
        """
        said = self._meltano("export").strip()
        found: States = json.loads(said.splitlines()[-1]) if said else {}
        return {name: state for name, state in found.items() if name.startswith(f"{self.environment}:")}

    def write(self, states: Mapping[str, Any]) -> None:
        """Replace the states of the given ids; others stay.

        Raises:
            WarehouseError: Meltano failed.
        """
        if states:
            self._meltano("import", given=json.dumps(states))

    def replace(self, states: Mapping[str, Any]) -> list[str]:
        """Let the environment have these states and no others; returns the ids that were cleared.

        Raises:
            WarehouseError: Meltano failed.
        """
        others = sorted(self.read().keys() - states.keys())
        for name in others:
            self._meltano("clear", "--force", name)
        self.write(states)
        return others

    def _meltano(self, *arguments: str, given: str = "") -> str:
        words = [str(Path(sys.executable).with_name("meltano")), "--log-level", "error"]
        words += ["--environment", self.environment]
        words += ["--env-file", str(self.env_file)] if self.env_file else []
        store = {"MELTANO_DATABASE_URI": self.store} if self.store else {}
        done = subprocess.run(
            [*words, "state", *arguments],
            cwd=self.root,
            env={**os.environ, **store},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-1:]
            raise WarehouseError(
                f"`meltano state {arguments[0]}` failed for {self.environment}: {' '.join(said) or 'no reason given'}. "
                "Nothing else was changed."
            )
        return done.stdout


def move(old: Bookmarks, new: Bookmarks, say: Callable[[str], None], *, overwrite: bool = False) -> int:
    """Copy the bookmarks of one store into another, and read them there; returns their number.

    The old store keeps its own: it can be gone back to.

    Raises:
        WarehouseError: There is none, the new store has other ones of the same ids, or they do not arrive.
    """
    states = old.read()
    if not states:
        raise WarehouseError(
            f"The store that MELTANO_DATABASE_URI names (unset: the project's SQLite file) has no bookmark of "
            f"{old.environment}, so there is nothing to copy."
        )
    there = new.read()
    other = sorted(name for name in states if name in there and there[name] != states[name])
    if other and not overwrite:
        raise WarehouseError(
            f"The new store has other bookmarks of {', '.join(other)}, which it keeps: nothing was copied. "
            "--overwrite replaces them."
        )
    new.write(states)
    if any(new.read().get(name) != state for name, state in states.items()):
        raise WarehouseError("The new store does not give back what was written to it; the old one is as it was.")
    for name in sorted(states):
        say(f"copied {name}")
    return len(states)
