"""What the extension offers, and what `check` says of addresses; the rest of it is tried in a real Airflow."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from airflow_ext import administration, dag_files
from airflow_ext.dag_files import shipped, write_missing
from airflow_ext.extension import Airflow
from airflow_ext.health import _address
from airflow_ext.main import app
from airflow_ext.settings import read_settings

PLUGIN = Path(__file__).resolve().parents[2] / "orchestrators.meltano.yml"


def test_meltano_and_describe_know_every_command(tmp_path: Path) -> None:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    done = CliRunner().invoke(app, ["describe", "--format=json"], env=environ)
    assert done.exit_code == 0, done.output
    described = {one["name"]: one.get("commands") for one in json.loads(done.stdout)["commands"]}
    assert set(described) == {"airflow_extension", "airflow_invoker"}
    (plugin,) = yaml.safe_load(PLUGIN.read_text())["plugins"]["utilities"]
    offered = {name: command["args"].split()[0] for name, command in plugin["commands"].items()}
    assert offered.pop("ui") == "up"
    assert set(described["airflow_extension"]) == set(app.commands) == set(offered.values()) == set(offered)
    told = CliRunner().invoke(app, ["describe"], env=environ)
    assert told.exit_code == 0, told.output
    assert {line.split()[0] for line in told.output.splitlines() if line.startswith("  ")} == set(app.commands)
    assert "airflow_invoker: Any command of Airflow's own." in told.output


def test_dag_files_of_ones_own_stay_and_unchanged_older_ones_are_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = shipped()
    assert list(write_missing(tmp_path)) == ["wrote backfill.py", "wrote meltano.py"]
    assert list(write_missing(tmp_path)) == []
    (tmp_path / "backfill.py").write_text("# mine\n")
    assert list(write_missing(tmp_path)) == ["kept your own backfill.py"]
    assert (tmp_path / "backfill.py").read_text() == "# mine\n"
    former = dag_files.hashlib.sha256(b"# mine\n").hexdigest()
    monkeypatch.setattr(dag_files, "_FORMER", frozenset({former}))
    assert list(write_missing(tmp_path)) == ["renewed backfill.py"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == texts


def test_password_and_pools_are_set_again_when_asked_or_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    calls: list[dict[str, str]] = []

    def call(_self: Airflow, _command: list[str], given: dict[str, str], _what: str) -> str:
        calls.append(given)
        return "user: set\npools: set"

    monkeypatch.setattr(Airflow, "_call", call)
    monkeypatch.setattr(Airflow, "_is_empty", lambda _self, _environ: False)

    def given(*, force: bool = False, **more: str) -> dict[str, str]:
        calls.clear()
        Airflow(environ | more, lambda _line: None)._administrate({}, force=force)
        return calls[0] if calls else {}

    first = given()
    assert json.loads(first[administration.POOLS]) == {"blockchair_api": 1, "dump_host": 1, "dbt": 1}
    assert given() == {}
    assert given(force=True) == first  # with the generated password that there is
    assert json.loads(given(AIRFLOW_EXT_POOLS='{"dump_host": 4}')[administration.POOLS]) == {"dump_host": 4}
    assert (
        given(AIRFLOW_EXT_ADMIN_PASSWORD="mine", AIRFLOW_EXT_POOLS='{"dump_host": 4}')[administration.PASSWORD]
        == "mine"
    )


def test_a_password_that_is_a_setting_is_not_made_anew(tmp_path: Path) -> None:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_EXT_ADMIN_PASSWORD": "mine"}
    done = CliRunner().invoke(app, ["create-admin", "--new-password"], env=environ)
    assert done.exit_code == 1
    assert "AIRFLOW_ADMIN_PASSWORD sets: change it there" in done.output
    without = CliRunner().invoke(app, ["create-admin"], env=environ)
    assert "Airflow is not initialised" in without.output


@pytest.fixture
def proxy() -> Iterator[int]:
    """What stands before an API server, or another program, at a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"scheduler": {"status": "healthy"}}')

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("host", "stated", "ok"),
    [
        ("127.0.0.1", "http://127.0.0.1:57480", True),
        ("127.0.0.1", "http://localhost:57480", True),
        ("127.0.0.1", "http://127.0.0.1:1", False),
        ("127.0.0.1", "http://localhost", False),
        ("127.0.0.1", "https://elt.example.com", True),
        ("0.0.0.0", "http://127.0.0.1:6000", True),  # noqa: S104 - a container's, whose port is published as another
        ("127.0.0.1", "elt.example.com", False),
        ("127.0.0.1", "http://127.0.0.1:http", False),
    ],
)
def test_an_address_that_leads_nowhere_is_named(tmp_path: Path, host: str, stated: str, ok: bool) -> None:  # noqa: FBT001
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_EXT_HOST": host})
    finding = _address("UI's address", stated, "AIRFLOW_BASE_URL", settings)
    assert finding.ok is ok
    assert stated in finding.says
    assert ok or "AIRFLOW_BASE_URL" in finding.says


def test_a_proxy_on_this_machine_is_right(tmp_path: Path, proxy: int) -> None:
    settings = read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    assert _address("UI's address", f"http://127.0.0.1:{proxy}", "AIRFLOW_BASE_URL", settings).ok
