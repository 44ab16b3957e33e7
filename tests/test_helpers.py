"""What the other tests lean on sees what it should see."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from airflow_stack import Up, rows_loaded
from checkout import Checkout, clean_environ, wipe
from services import Deployment
from waiting import free_port, wait_for
from worlds import README, World, fill_or_restore, keep

WAITING = "import time; print('ready', flush=True); time.sleep(600)"


def test_a_changed_cell_is_seen_in_its_table_and_what_a_load_says_of_itself_is_not(
    filled: Callable[[World], Checkout],
) -> None:
    checkout = filled(README)
    before = checkout.tables()
    assert len(before) > 80
    assert checkout.tables() == before
    checkout.sql_do("update raw_data.bitcoin_blocks set _sdc_received_at = now(), _load_id = 0", role="loader")
    assert checkout.tables() == before
    checkout.sql_do("update analytics.fct_transactions set fee_base = fee_base + 1 where transaction_index = 3")
    after = checkout.tables()
    assert {name for name in before if after[name] != before[name]} == {"analytics.fct_transactions"}
    checkout.sql_do("delete from raw_data.dogecoin_blocks where _line = 2 and _dump_day = '2025-01-03'", role="loader")
    assert checkout.tables()["raw_data.dogecoin_blocks"][0] == before["raw_data.dogecoin_blocks"][0] - 1


class Recorded(Checkout):
    """A checkout whose commands are noted, and not run."""

    def run(self, *command: str, **_: object) -> "subprocess.CompletedProcess[str]":  # type: ignore[override]
        with (self.root / "commands").open("a") as file:
            file.write(shlex.join(command) + "\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    @property
    def said(self) -> list[str]:
        return (self.root / "commands").read_text().splitlines()


def fill(checkout: Checkout, world: World) -> None:
    """Leave the files of a filled checkout."""
    for name in (".env", ".state/warehouse/data/PG_VERSION", ".meltano/meltano.db", "transform/target/manifest.json"):
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / name).write_text(world.name)
    (checkout.root / ".state/warehouse/data").chmod(0o700)
    checkout.run("filled")


def checkouts(folder: Path, *names: str) -> list[Recorded]:
    for name in names:
        (folder / name).mkdir()
    return [Recorded(folder / name, {}) for name in names]


def test_a_world_is_filled_once_and_copied_as_it_was(tmp_path: Path) -> None:
    first, second = checkouts(tmp_path, "first", "second")
    world = World("x", {"SIMULATOR_DAYS": "1"}, {}, fill)
    for one in (first, second):
        fill_or_restore(one, world, tmp_path / "worlds")
        data = one.root / ".state/warehouse/data"
        assert (data / "PG_VERSION").read_text() == "x"
        assert data.stat().st_mode & 0o777 == 0o700
        assert (one.root / ".meltano/meltano.db").read_text() == "x"
    serving = ["warehouse start", "simulator start"]
    assert first.said == ["filled", "crypto-elt stop", *serving]
    assert second.said == serving


def test_a_world_that_another_file_has_kept_is_not_kept_again(tmp_path: Path) -> None:
    first, second = checkouts(tmp_path, "first", "second")
    world = World("x", fill=fill)
    for one in (first, second):
        fill(one, world)
    assert keep(first, world, tmp_path / "worlds")
    assert not keep(second, world, tmp_path / "worlds")
    assert "crypto-elt stop" not in second.said


def test_what_is_wiped_keeps_its_plugins_alone(tmp_path: Path) -> None:
    kept = (".venv/bin/python", ".meltano/loaders/x/venv/bin/x", ".meltano/crypto-elt-plugins.stamp")
    for name in (*kept, ".env", ".state/run/log", ".meltano/meltano.db", ".meltano/run/x", "transform/edited.sql"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    wipe(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


def test_nothing_that_configures_the_pipeline_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAREHOUSE_HOST", "TAP_X", "PGUSER", "MELTANO_ENVIRONMENT", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SAMPLES_DIR", "kept")
    environ = clean_environ(tmp_path)
    assert [name for name, value in environ.items() if value == "x"] == []
    assert environ["SAMPLES_DIR"] == "kept"
    assert environ["PATH"].startswith(f"{tmp_path}/.venv/bin{os.pathsep}")


def test_a_free_port_is_given_once_and_is_none_that_systems_give_to_connections() -> None:
    ports = [free_port() for _ in range(5)]
    assert len(set(ports)) == 5
    assert max(ports) < 32768
    with socket.create_server(("127.0.0.1", ports[-1] + 1)):
        assert free_port() != ports[-1] + 1


def test_what_never_comes_fails_and_says_what_was_awaited() -> None:
    with pytest.raises(AssertionError, match="still not: the moon"):
        wait_for(lambda: False, "the moon", 0.5)


def test_rows_are_counted_and_none_are_zero() -> None:
    assert rows_loaded("0 rows loaded.") == 0
    assert rows_loaded("x: 1,234 rows loaded.\ny: 6 rows loaded.") == 1240


def test_what_is_stopped_stands_still_and_ends_on_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITING!r}])"],
        stdout=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    up = Up(process)
    up.wait_for("ready")
    (child,) = up.components()
    up.stop()
    assert child.status() == psutil.STATUS_STOPPED
    child.resume()
    up.kill(and_components=True)
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child has ended")


def test_a_process_that_ends_before_it_says_so_fails_with_what_it_said() -> None:
    process = subprocess.Popen([sys.executable, "-c", "print('sorry')"], stdout=subprocess.PIPE, text=True)
    up = Up(process)
    with pytest.raises(AssertionError, match="sorry"):
        up.wait_for("ready")
    up.end()


@pytest.fixture
def deployed(tmp_path: Path) -> Deployment:
    services = {
        "database": {"image": "x", "environment": {"DB": "database", "NONE": None}},
        "ours": {"build": {}, "environment": {"URL": "http://database:5432/x", "SIM": "http://ours:57481"}},
    }
    (tmp_path / "image").mkdir()
    (tmp_path / "image/meltano.yml").touch()
    return Deployment(services, tmp_path, tmp_path / "image", "4711", "4712", tmp_path / "bin")


def test_services_find_each_other_on_this_machine(deployed: Deployment) -> None:
    assert deployed.environ("database")["DB"] == "127.0.0.1"
    assert "NONE" not in deployed.environ("database")
    ours = deployed.environ("ours")
    assert ours["URL"] == "http://127.0.0.1:5432/x"
    assert ours["SIM"] == "http://127.0.0.1:4711"
    assert ours["MELTANO_PROJECT_ROOT"] == str(deployed.folder / "project-root")
    assert ours["MELTANO_SYS_DIR_ROOT"] == str(deployed.folder / "project/.meltano")
    assert ours["PATH"].startswith(f"{deployed.image}/.venv/bin:{deployed.programs}:")
    assert deployed.translate("--host=0.0.0.0 /opt/crypto-elt/x :57480", "ours") == (
        f"--host=127.0.0.1 {deployed.root('ours')}/x :4712"
    )


def test_a_worker_of_another_machine_has_a_volume_of_its_own(deployed: Deployment) -> None:
    names = ("airflow-worker", "other-worker", "simulator")
    assert [deployed.project(name).name for name in names] == ["project", "other-project", "simulator-project"]


def test_a_service_that_dies_fails_with_its_log(deployed: Deployment) -> None:
    deployed.services["database"] |= {
        "command": [sys.executable, "-c", "print('no disk')"],
        "healthcheck": {"test": ["CMD", "false"]},
    }
    with pytest.raises(AssertionError, match="no disk"):
        deployed.start("database")


def test_a_health_check_of_a_shell_is_one(deployed: Deployment) -> None:
    assert deployed.words("database", ["CMD-SHELL", "a && b"]) == ["sh", "-c", "a && b"]
    assert deployed.words("database", ["CMD", "a", "b"]) == ["a", "b"]
