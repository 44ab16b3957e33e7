"""Says what a run of the tap would cost, from the bookmarks and the selection as they are now.

`meltano invoke tap-blockchair --estimate` by itself uses the files that the tap's last run began with.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from console.errors import ConsoleError
from console.log import LogLine, reason
from console.project import Project

TAPS = ("tap-blockchair", "tap-blockchair--dumps", "tap-blockchair--tip")
_TARGET = "target-postgres"


def estimate(project: Project, environment: str, tap: str) -> str:
    """Ask the tap what its next run would download and spend.

    Raises:
        ConsoleError: Meltano or the tap failed; the sentence says why.
    """
    state = json.loads(_meltano(project, environment, "state", "get", f"{environment}:{tap}-to-{_TARGET}"))
    with tempfile.TemporaryDirectory(dir=project.run_state) as folder:
        files = {
            "--catalog": _meltano(project, environment, "invoke", "--refresh-catalog", "--dump=catalog", tap),
            "--state": json.dumps(state.get("singer_state") or {}),
        }
        options = [tap, "--estimate"]
        for option, text in files.items():
            path = Path(folder, f"{option.strip('-')}.json")
            path.write_text(text)
            options += [option, str(path)]
        return _meltano(project, environment, "invoke", *options)


def _meltano(project: Project, environment: str, *arguments: str) -> str:
    done = subprocess.run(
        [project.program("meltano"), f"--environment={environment}", "--log-format", "json", *arguments],
        cwd=project.root,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        why = reason([LogLine.read(line) for line in done.stderr.splitlines()])
        raise ConsoleError(f"`meltano {' '.join(arguments[:2])}` failed: {why}")
    return done.stdout
