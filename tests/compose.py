"""docker-compose.yaml as the real Compose reads it; no engine is needed for that."""

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from checkout import PROJECT
from console.envfile import write_env
from console.project import Project

PROFILES = ("scale", "simulate")
COMBINATIONS = [chosen for size in range(len(PROFILES) + 1) for chosen in itertools.combinations(PROFILES, size)]
VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]+)")


def compose(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Compose in a folder, with nothing of the caller's environment."""
    (program,) = (PROJECT / ".venv-compose").glob("lib/python3*/site-packages/compose/docker-compose")
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def deployment(folder: Path) -> Path:
    """A folder with the compose file, and a .env as `make env` writes it."""
    folder.mkdir(exist_ok=True)
    for name in ("docker-compose.yaml", ".env.example"):
        shutil.copy2(PROJECT / name, folder / name)
    write_env(Project(folder))
    return folder


def configuration(folder: Path, *profiles: str) -> dict[str, Any]:
    """What Compose would start, fully resolved; a `$` stands for itself."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    done = compose(folder, *chosen, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.replace("$$", "$"))
    return found


def set_variable(folder: Path, name: str, value: str) -> None:
    """Set a variable in a deployment's .env."""
    path = folder / ".env"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{name}=")]
    path.write_text("\n".join([*lines, f"{name}={value}"]) + "\n")


def recipe(name: str) -> str:
    """An override that docs/guides/deploy.md shows."""
    page = (PROJECT / "docs/guides/deploy.md").read_text()
    found = re.search(rf"```yaml\n# recipe: {name}\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def unprivileged() -> list[str]:
    """PostgreSQL does not run as root; its image runs it as a user of its own."""
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
