"""The systemd units, as they lie in the tree and as `crypto-elt units` fills them in."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import cli
from console.errors import ConsoleError
from console.project import Project
from console.units import write_units

TREE = Path(__file__).resolve().parents[3]
NAMES = {
    *("crypto-elt-airflow.service", "crypto-elt-dashboard.service"),
    *(f"crypto-elt-{what}.{kind}" for what in ("backup", "health", "logs") for kind in ("service", "timer")),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with stand-ins for the programs that the units name."""
    root = tmp_path / "crypto-elt_1.0"
    shutil.copytree(TREE / "orchestrate/systemd", root / "orchestrate/systemd")
    (root / "meltano.yml").touch()
    for name in ("meltano", "warehouse", "crypto-elt"):
        program = root / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return Project(root)


def verify(folder: Path, manager: str, run_dir: Path) -> str:
    """What systemd has to say about units: nothing, when they are right; without systemd, they are parsed alone."""
    units = sorted(folder.glob("crypto-elt-*"))
    for unit in units:
        parsed = configparser.ConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
        parsed.read(unit)
        assert parsed.sections()[0] == "Unit"
    if not shutil.which("systemd-analyze"):
        return ""
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", manager, *map(str, units)]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(run_dir), "XDG_RUNTIME_DIR": str(run_dir)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    said = [line for line in done.stderr.splitlines() if "crypto-elt-" in line]
    return "\n".join(said)


@pytest.mark.parametrize("user", [None, "crypto"])
def test_systemd_takes_the_units(project: Project, tmp_path: Path, user: str | None) -> None:
    written = write_units(project, tmp_path / "units", user)
    assert {path.name for path in written} == NAMES
    manager = "--user" if user is None else "--system"
    assert verify(tmp_path / "units", manager, tmp_path) == ""
    text = (tmp_path / "units/crypto-elt-airflow.service").read_text()
    assert "/opt/" not in text
    assert f"ExecStart={project.root}/.venv/bin/meltano invoke --no-install airflow:up\n" in text
    assert ("User=crypto\n" in text, "User=" in text) == ((True, True) if user else (False, False))
    assert f"WantedBy={'multi-user' if user else 'default'}.target" in text
    broken = tmp_path / "units/crypto-elt-backup.service"
    broken.write_text(broken.read_text().replace("Type=oneshot", "Type=nonsense").replace("[Service]", "[Servce]"))
    if shutil.which("systemd-analyze"):
        assert verify(tmp_path / "units", manager, tmp_path), "the check finds what is wrong"


def test_a_path_that_units_would_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="move the checkout"):
        write_units(Project(tmp_path / "a %h project"), tmp_path, None)


def test_the_command_says_what_comes_next(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(project.root))
    said = CliRunner().invoke(cli, ["units", "--folder", str(tmp_path / "mine")]).output
    assert "systemctl --user enable --now crypto-elt-airflow crypto-elt-health.timer" in said
    assert "loginctl enable-linger" in said
    said = CliRunner().invoke(cli, ["units", "--system", "crypto", "--folder", str(tmp_path / "all")]).output
    assert "next: systemctl daemon-reload" in said
    assert "linger" not in said
