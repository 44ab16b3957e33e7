"""The tap without the project: its README's quick start, with a target from the package index."""

import os
import re
import subprocess
from pathlib import Path

from checkout import PROJECT, clean_environ

PACKAGE = "extract/tap-blockchair"
QUICK_START = re.findall(r"^```sh\n(.*?)^```", (PROJECT / PACKAGE / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_quick_start_as_it_stands(tmp_path: Path, samples: Path) -> None:
    (script,) = QUICK_START
    # What a mirror holds is real, and no test may ask the live host.
    mirror = f'"dumps_url": "{(samples / "blockchair" / "dumps").as_uri()}", "channel"'
    assert script.count('"channel"') == 1
    build = [PROJECT / ".venv-dev/bin/uv", "build", "--quiet", "--out-dir", tmp_path / "dist", PROJECT / PACKAGE]
    subprocess.run(build, check=True)
    environ = clean_environ(tmp_path) | {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    environ["PATH"] = os.pathsep.join([str(tmp_path / "bin"), str(PROJECT / ".venv-dev/bin"), environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace('"channel"', mirror)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^bitcoin_blocks +1 ", done.stdout, re.MULTILINE), "the estimate"
    rows = {path.name.split("-")[0]: len(path.read_text().splitlines()) for path in tmp_path.glob("bitcoin_*.jsonl")}
    assert rows == {"bitcoin_blocks": 14, "bitcoin_transactions": 14, "bitcoin_outputs": 14}
    assert "last day listed is 2009-01-09" in done.stderr, "the second run goes on from the first one's state"
