"""What a run says of the upgrade of its warehouse."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from console.errors import ConsoleError
from console.pipeline import Meltano
from console.project import Project

BLOCKED = """echo '09:50:39  Encountered an error while running operation: Compilation Error'
echo '  This release gives marts other columns, on which mine.blocks (of analyst) stands.'
echo 'Error: Nothing was changed: dbt cannot plan the upgrade, and says above why.' >&2
exit 1"""
BUSY = "echo 'Error: Another migration is at work.' >&2; exit 1"
OLDER = "echo 'warehouse: an older release has filled it' >&2; echo '12:00:00  1 of 2 OK created'"


@pytest.mark.parametrize(
    ("script", "outcome", "stopped"),
    [
        ("echo 'warehouse: nothing to do: of this release' >&2", "as it was", ""),
        (OLDER, "changed", ""),
        (BLOCKED, "", r"Compilation Error This release gives marts other columns, on which mine.blocks"),
        (BUSY, "", r"brought to this one: Another migration is at work\."),
    ],
)
def test_an_upgrade_s_outcome_or_reason_is_reported(tmp_path: Path, script: str, outcome: str, stopped: str) -> None:
    project = Project(tmp_path)
    (tmp_path / ".env").write_text("LOCAL_WAREHOUSE_PORT=5555\nDBT_HOST=live.example\n")
    program = Path(project.program("warehouse"))
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$@" > asked\ncat "$3" > seen\n{script}\n')
    program.chmod(0o755)
    words: list[str] = []
    with pytest.raises(ConsoleError, match=stopped) if stopped else nullcontext():
        changed = Meltano(project, {"PATH": "/usr/bin:/bin"}, "a").migrate(progress=lambda text, _: words.append(text))
        assert outcome == ("changed" if changed else "as it was")
    assert (tmp_path / "asked").read_text().startswith("migrate --env-file ")
    assert (tmp_path / "seen").read_text() == "LOCAL_WAREHOUSE_PORT='5555'\n"  # nothing that could lead elsewhere
    assert words == (["building and testing models, 1 of 2"] if script == OLDER else [])
