"""The first command on a bare machine: what it says when the machine will not do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[1] / "bootstrap.py"


def test_a_wrong_interpreter_gets_one_sentence(tmp_path: Path) -> None:
    # The script finds that it runs on Python 3.9 and that PATH holds nothing else.
    code = (
        "import sys, runpy; sys.version_info = (3, 9, 1, 'final', 0);"
        f"sys.argv = ['bootstrap.py']; runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "this is Python 3.9 and no Python 3.11 to 3.13 is on PATH" in done.stderr


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.8.18"])
def test_an_old_interpreter_can_read_the_script(version: str) -> None:
    old = Path.home() / ".pyenv/versions" / version / "bin/python"
    if not old.exists():
        pytest.skip(f"no Python {version} on this machine")
    code = f"compile(open({str(BOOTSTRAP)!r}).read(), 'bootstrap.py', 'exec')"
    done = subprocess.run([str(old), "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_a_package_index_nothing_half_made_is_trusted(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name in ("console", "simulator", "warehouse"):
        (root / "plugins" / name).mkdir(parents=True)
        (root / "plugins" / name / "pyproject.toml").touch()
    (root / "requirements").mkdir()
    shutil.copy(BOOTSTRAP, root / "plugins/console/bootstrap.py")
    for name in ("bootstrap", "project"):
        (root / f"requirements/{name}.txt").write_text("no-such-thing==1 --hash=sha256:" + "0" * 64 + "\n")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    done = subprocess.run(
        [sys.executable, str(root / "plugins/console/bootstrap.py")],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: the package index could not serve what .venv needs")
    assert not (root / ".venv/crypto-elt.stamp").exists()
