"""`make run` as a user without any privilege, where the tests themselves run as root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import clean_environ, copy_working_tree, needed

NOBODY = 65534
SUITABLE = "import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"


def interpreter_for_everyone() -> str:
    """An interpreter that a plain user can run and make environments with; root's own often lies in its home."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if Path(candidate).exists() and subprocess.run([candidate, "-c", SUITABLE], check=False).returncode == 0:
            return candidate
    needed(condition=False, reason="no Python 3.11 to 3.13 with ensurepip outside root's home")
    raise AssertionError


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="crypto-elt-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.long(part="other-projects")
def test_a_plain_user_gets_the_same_warehouse(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("these tests run as a plain user already")
    python = interpreter_for_everyone()
    root = folder / "crypto-elt"
    copy_working_tree(root)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    environ = clean_environ(root) | {"HOME": str(folder)}
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    make = (*as_nobody, "make", f"PYTHON={python}")
    try:
        done = subprocess.run([*make, "run"], cwd=root, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "block header hash, bitcoin: 336 verified" in done.stdout
        assert {path.stat().st_uid for path in (root / ".state").rglob("*")} == {NOBODY}
    finally:
        subprocess.run([*make, "stop"], cwd=root, env=environ, capture_output=True, check=False)
