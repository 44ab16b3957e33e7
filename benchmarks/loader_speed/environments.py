"""One virtual environment per contender, with exact pins, kept between runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loader_speed.errors import BenchError

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "benchmarks" / ".venvs"
_PINS = Path(__file__).parent / "environments"


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of."""

    name: str
    pins: Path  # compiled requirements
    package: Path | None = None  # a package of this project, installed as it stands; None for a contender from outside
    python: str | None = None  # newest interpreter that the pins install on; None for the one that runs the benchmark


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("tap", PROJECT / "requirements/tap-blockchair.txt", PROJECT / "extract/tap-blockchair"),
        Recipe("ours", PROJECT / "requirements/target-postgres.txt", PROJECT / "load/target-postgres"),
        Recipe("stock", _PINS / "stock.txt"),
        Recipe("pipelinewise", _PINS / "pipelinewise.txt", python="3.11"),  # its driver has no wheel for later ones
        Recipe("dlt", _PINS / "dlt.txt"),
    )
}


def find_uv() -> str:
    """Find uv beside this interpreter or on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BenchError("uv is not installed here; it makes the contenders' environments: run `make bench`.")
    return found


def build(name: str, cache: Path = CACHE) -> Path:
    """Make an environment of RECIPES, unless it is there with the same pins; gives its folder of programs."""
    recipe = RECIPES[name]
    folder, stamp = cache / name, cache / name / "bench.stamp"
    wanted = hashlib.sha256(recipe.pins.read_bytes() + sys.version.encode())
    if recipe.package is not None:
        wanted.update((recipe.package / "pyproject.toml").read_bytes())
    if not stamp.is_file() or stamp.read_text() != wanted.hexdigest():
        uv, python = find_uv(), recipe.python or sys.executable
        _call(name, uv, "venv", "--quiet", "--clear", "--no-python-downloads", "--python", python, str(folder))
        # Compiled beforehand: no contender pays for that in its first run.
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder / "bin/python")]
        editable = [] if recipe.package is None else ["-e", str(recipe.package)]
        _call(name, *install, "-r", str(recipe.pins), *editable)
        stamp.write_text(wanted.hexdigest())
    return folder / "bin"


def plain_environ() -> dict[str, str]:
    """The caller's environment without what configures a pipeline, a Python or a client of PostgreSQL."""
    private = ("LOCAL_", "WAREHOUSE_", "MELTANO_", "TAP_", "TARGET_", "SIMULATOR_", "BLOCKCHAIR_", "PG", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    kept.pop("VIRTUAL_ENV", None)
    return kept


def _call(name: str, *command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-4:])
        raise BenchError(f"The environment of {name} could not be made ({' '.join(command[1:3])}):\n{lines}")
