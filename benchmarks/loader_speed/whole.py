"""The whole command: `meltano run tap-blockchair target-postgres`, download from the simulator included."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from loader_speed import checks
from loader_speed.contenders import check_own
from loader_speed.data import STREAM
from loader_speed.environments import PROJECT, plain_environ
from loader_speed.errors import BenchError
from loader_speed.process import Usage, run
from loader_speed.server import HOST

if TYPE_CHECKING:
    from loader_speed.contenders import Bench
    from loader_speed.data import Load

PROGRAMS = ("tap-blockchair", "target-postgres-copy")
_COMMAND = ("run", "tap-blockchair", "target-postgres")
_PATIENCE_SECONDS = 60
_URL = re.compile(r"Simulator at (http://\S+[^\s,.])")


class WholeCommand:
    """Meltano in a copy of the working tree, against the benchmark's server and a simulator of its own."""

    name = "meltano run tap-blockchair target-postgres"

    def __init__(self) -> None:
        self._simulator: subprocess.Popen[bytes] | None = None
        self._environ: dict[str, str] = {}
        self._root = Path()

    def prepare(self, bench: Bench, database: str, load: Load) -> None:
        """Copy the project once, install both plugins once, serve the load's files."""
        self._root = bench.folder / "project"
        day = load.dumps[-1].tiling.day
        self._environ = plain_environ() | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "MELTANO_PROJECT_ROOT": str(self._root),
            "MELTANO_ENVIRONMENT": "local",
            "NO_COLOR": "1",
            "LOCAL_WAREHOUSE_HOST": HOST,
            "LOCAL_WAREHOUSE_PORT": str(bench.server.port),
            "LOCAL_WAREHOUSE_DB": database,
            "LOCAL_LOADER_PASSWORD": bench.server.password,
            "TAP_BLOCKCHAIR_CHAINS": json.dumps(["bitcoin"]),
            "TAP_BLOCKCHAIR_CHANNEL": "dumps",
            "TAP_BLOCKCHAIR_START_DATE": str(day),
            "TAP_BLOCKCHAIR__SELECT": json.dumps([f"{STREAM}.*"]),
        }
        log = bench.folder / "meltano.log"
        if not self._root.exists():
            copy_working_tree(self._root)
            install = [_program("meltano"), "install", "tap-blockchair", "target-postgres"]
            run(install, environ=self._environ, log=log, cwd=self._root)
        for left in (".state", ".meltano/meltano.db"):  # bookmarks and downloads of the run before
            path = self._root / left
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self._environ["LOCAL_SIMULATOR_URL"] = self._serve(bench, load)

    def run(self, bench: Bench, database: str, load: Load) -> Usage:  # noqa: ARG002 - prepare has used them
        """Run the command."""
        log = bench.folder / "meltano.log"
        command = [_program("meltano"), *_COMMAND]
        return run(command, environ=self._environ, log=log, cwd=self._root, programs=PROGRAMS)

    def check(self, bench: Bench, database: str, loads: list[Load]) -> None:
        """As for the loader alone."""
        with bench.server.connect(database) as connection:
            table = checks.Table(connection, STREAM)
            checks.check(table, [dump for load in loads for dump in load.dumps], bench.sample)
            check_own(table, bench, loads)

    def stop(self) -> None:
        """End the simulator."""
        if self._simulator is not None:
            self._simulator.terminate()
            self._simulator.wait()
            self._simulator = None

    def _serve(self, bench: Bench, load: Load) -> str:
        folder, log = bench.fresh_folder("simulator"), bench.folder / "simulator.log"
        world = [
            "--chains",
            "bitcoin",
            "--start",
            str(load.dumps[0].tiling.day),
            "--dumps-dir",
            str(load.folder),
            "--now",
            "2024-02-01T06:00",
        ]
        log.unlink(missing_ok=True)
        with log.open("wb") as said:
            self._simulator = subprocess.Popen(
                [_program("simulator"), "serve", "--state-dir", str(folder), *world],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**self._environ, "PYTHONUNBUFFERED": "1"},
                cwd=folder,
            )
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until and self._simulator.poll() is None:
            if match := _URL.search(log.read_text(errors="replace")):
                return match[1]
            time.sleep(0.1)
        self.stop()
        raise BenchError(f"The simulator did not start: {log.read_text(errors='replace')[-500:]}")


def copy_working_tree(target: Path) -> None:
    """Copy what git tracks and what it would track, as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        source = PROJECT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
