"""The project's programs explain themselves in one form."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PROGRAMS = (
    "airflow_extension",
    "crypto-dashboard",
    "crypto-elt",
    "mirror-node",
    "powerbi-project",
    "simulator",
    "target-postgres-copy-audit",
    "target-postgres-copy-months",
    "warehouse",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_begins_with_the_usage_and_fits_a_terminal(program: str) -> None:
    long, short = (
        subprocess.run(
            [BIN / program, option], capture_output=True, text=True, check=True, env={"COLUMNS": "80"}
        ).stdout
        for option in ("--help", "-h")
    )
    assert long == short
    assert re.match(rf"Usage: {program} \[OPTIONS\]", long)
    assert re.search(r"^  -h, --help +Show this message and exit\.$", long, re.MULTILINE)
    assert re.search(r"\n\n  [A-Z][^\n]+", long), "a sentence says what it is for"
    assert max(map(len, long.splitlines())) <= 80
    assert long.isascii(), "no boxes"
