"""The two servers of a local run, reached through their own commands."""

import json
import subprocess
from collections.abc import Mapping

from console.errors import ConsoleError
from console.project import Project

_NOT_RUNNING = 3


def _run(
    project: Project, environ: Mapping[str, str], program: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [project.program(program), *arguments],
        cwd=project.root,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )


def command(project: Project, environ: Mapping[str, str], program: str, *arguments: str) -> str:
    """Run a program of the project's environment and return what it printed.

    Raises:
        ConsoleError: It failed; the sentence is its own last word.
    """
    done = _run(project, environ, program, *arguments)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()
        raise ConsoleError(f"`{program} {' '.join(arguments)}` failed: {' '.join(part.strip() for part in said[-3:])}")
    return done.stdout


def status(project: Project, environ: Mapping[str, str], program: str) -> dict[str, object] | None:
    """The status of a server, or None when it is not running."""
    done = _run(project, environ, program, "status", "--json")
    if done.returncode == _NOT_RUNNING:
        return None
    if done.returncode != 0:
        raise ConsoleError(f"`{program} status` failed: {done.stderr.strip()}")
    found: dict[str, object] = json.loads(done.stdout)
    return found
