"""How a run goes on when the loader has put bookmarks right, and when something else failed."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from console.errors import ConsoleError
from console.pipeline import Meltano
from console.project import Project

RIGHT = "The bookmark was cut to what the ledger holds: run the same command again."
# Fails as often as it has to, with a line of the loader, and counts its calls.
PROGRAM = """#!/bin/sh
echo >> calls
test "$(wc -l < calls)" -gt {failures} && exit 0
echo '{{"level": "error", "name": "target-postgres", "event": "{said}"}}'
echo '{{"level": "error", "name": "meltano", "event": "Loader failed"}}'
exit 1
"""


@pytest.mark.parametrize(
    ("failures", "said", "calls", "stopped"),
    [
        (0, RIGHT, 1, ""),
        (2, RIGHT, 3, ""),  # one for each of two taps
        (3, RIGHT, 3, RIGHT),
        (1, "disk full", 1, "disk full"),
    ],
)
def test_a_run_is_repeated_while_bookmarks_are_put_right(
    tmp_path: Path, failures: int, said: str, calls: int, stopped: str
) -> None:
    project = Project(tmp_path)
    program = Path(project.program("meltano"))
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(failures=failures, said=said))
    program.chmod(0o755)
    words: list[str] = []
    with pytest.raises(ConsoleError, match=stopped) if stopped else nullcontext():
        Meltano(project, {"PATH": "/usr/bin:/bin"}, "a").run_pipeline(
            force=False, progress=lambda text, _: words.append(text)
        )
    assert len((tmp_path / "calls").read_text().splitlines()) == calls
    assert words == ["reading what the bookmarks count and the warehouse lacks"] * (calls - 1)
