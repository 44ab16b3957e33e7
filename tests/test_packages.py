"""Packages that stand alone: of one version, with what belongs into them, and run from their wheels as READMEs say."""

import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import node_clients
from checkout import PROJECT, clean_environ

DEV = PROJECT / ".venv-dev/bin"
HUB = sorted((PROJECT / "plugins/hub").glob("*.yml"))
KINDS = {"extractors": "extractor", "loaders": "loader", "utilities": "utility"}


def dist() -> ModuleType:
    """What `make dist` runs."""
    spec = importlib.util.spec_from_file_location("dist", PROJECT / "plugins/console/dist.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every wheel and source archive, which twine has checked."""
    folder = tmp_path_factory.mktemp("built") / "dist"
    made = dist()
    environ = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([str(DEV), environ])
    try:
        made.build(folder)
    finally:
        os.environ["PATH"] = environ
    return folder


def shell(package: str) -> str:
    """The first commands that a package's README shows."""
    found = re.search(r"^```sh\n(.*?)^```", (PROJECT / package / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def typed(script: str, folder: Path, wheels: Path, **extra: str) -> str:
    """Run commands with `bash` in a folder, with the wheels beside them and tools of their own; what they print."""
    shutil.copytree(wheels, folder / "dist")
    environ = clean_environ(folder) | {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    environ["PATH"] = os.pathsep.join([str(folder / "bin"), str(DEV), environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environ | extra,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_version_stands_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dist()
    assert made.main(["--check"]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", made.version())
    assert f"## {made.version()}" in (PROJECT / "CHANGELOG.md").read_text()
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "VERSION").write_text("9.8.7\n")
    (tmp_path / "a/b/pyproject.toml").write_text('[project]\nversion = "0.0.1"\n')
    monkeypatch.setattr(made, "PROJECT", tmp_path)
    assert made.main(["--check"]) == 1


def test_every_package_has_licence_types_and_readme(wheels: Path) -> None:
    licence = (PROJECT / "LICENSE").read_text()
    packages = dist().PACKAGES
    assert len(list(wheels.glob("*.whl"))) == len(list(wheels.glob("*.tar.gz"))) == len(packages) == 5
    for path in wheels.glob("*.whl"):
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            (found,) = (name for name in names if name.endswith("/licenses/LICENSE"))
            assert wheel.read(found).decode() == licence
            assert [name for name in names if name.endswith("/py.typed")]
            (meta,) = (name for name in names if name.endswith(".dist-info/METADATA"))
            text = wheel.read(meta).decode()
        assert f"\nVersion: {dist().version()}\n" in text
        assert "\nLicense-Expression: Apache-2.0\n" in text
        assert len(text.split("\n\n", 1)[1]) > 1000
    for path in wheels.glob("*.tar.gz"):
        with tarfile.open(path) as archive:
            assert [name for name in archive.getnames() if name.endswith("/LICENSE")]


def test_the_definitions_for_other_projects_have_the_settings_of_our_own() -> None:
    assert len(HUB) == 5
    ours = {
        plugin["name"]: plugin
        for path in PROJECT.glob("*/*.meltano.yml")
        for kind in yaml.safe_load(path.read_text())["plugins"].values()
        for plugin in kind
    }
    for path in HUB:
        given = yaml.safe_load(path.read_text())
        own = ours[given["name"]]
        names = [[setting["name"] for setting in one["settings"]] for one in (given, own)]
        assert names[0] == names[1]
        secret = [{one["name"] for one in each["settings"] if one.get("sensitive")} for each in (given, own)]
        assert secret[0] == secret[1]
        assert given["executable"] == own["executable"]
        assert given.get("commands") == own.get("commands")
        assert given["pip_url"].endswith(f"~={dist().version()}")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[str]:
    """The address of a simulator of its own."""
    words = ["--state-dir", str(tmp_path / "simulator")]
    subprocess.run([DEV / "simulator", "start", "--no-env-file", *words], check=True, capture_output=True)
    said = subprocess.run([DEV / "simulator", "status", "--json", *words], check=True, capture_output=True, text=True)
    yield json.loads(said.stdout)["url"]
    subprocess.run([DEV / "simulator", "stop", *words], check=True, capture_output=True)


@pytest.mark.long(part="packages")
def test_tap_coingecko_runs_from_its_wheel_with_target_jsonl(tmp_path: Path, wheels: Path, simulator: str) -> None:
    script = shell("extract/tap-coingecko")
    assert script.count('"coins"') == 1
    script = script.replace('"coins"', f'"api_url": "{simulator}/coingecko/api/v3", "coins"').replace("2026", "2025")
    typed(script, tmp_path, wheels)
    rows = [
        json.loads(line) for path in tmp_path.glob("coingecko_market_chart*") for line in path.read_text().splitlines()
    ]
    assert {row["coin_id"] for row in rows} == {"bitcoin"}
    assert rows[0]["stamp"].startswith("2025-01-01")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A PostgreSQL with the roles of warehouse and Airflow, as the variables that name it."""
    (tmp_path / "meltano.yml").write_text("version: 1\n")
    environ = clean_environ(tmp_path) | {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    subprocess.run([DEV / "warehouse", "start"], check=True, capture_output=True, env=environ, cwd=tmp_path)
    try:
        lines = (line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if "=" in line)
        yield {name: value.strip("'\"") for name, value in lines}
    finally:
        subprocess.run([DEV / "warehouse", "stop"], check=True, capture_output=True, env=environ, cwd=tmp_path)


@pytest.mark.long(part="packages")
def test_the_loader_runs_from_its_wheel_with_a_foreign_tap(
    tmp_path: Path, wheels: Path, server: dict[str, str]
) -> None:
    config = {
        "host": server["LOCAL_WAREHOUSE_HOST"],
        "port": int(server["LOCAL_WAREHOUSE_PORT"]),
        "database": server["LOCAL_WAREHOUSE_DB"],
        "user": "loader",
        "password": server["LOCAL_LOADER_PASSWORD"],
        "default_target_schema": "raw_data",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = typed(shell("load/target-postgres"), tmp_path, wheels)
    assert "silence_timeout" in said
    environ = clean_environ(tmp_path) | {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    query = "select string_agg(symbol || ' ' || supply, ', ' order by id) from raw_data.coins"
    asked = [str(DEV / "warehouse"), "psql", "--role", "loader", "-Atc", query]
    rows = subprocess.run(asked, check=False, capture_output=True, text=True, env=environ, cwd=tmp_path)
    assert rows.returncode == 0, rows.stderr
    assert rows.stdout.strip() == "BTC 19800000, DOGE 147000000000"


@pytest.mark.long(part="packages")
def test_mirror_node_runs_from_its_wheel_with_a_node(tmp_path: Path, wheels: Path) -> None:
    install, status, run, _ = shell("extract/mirror-node").splitlines()
    run = run.replace("2024-01-01", "2024-03-01").replace("2024-01-31", "2024-03-01")
    for client in node_clients.lite(tmp_path / "node"):
        environ = {
            "MIRROR_NODE_CHAIN": "litecoin",
            "MIRROR_NODE_RPC_URL": f"http://user@127.0.0.1:{client.port}",
            "MIRROR_NODE_RPC_PASSWORD": client.password,
            "MIRROR_NODE_MIRROR_DIR": str(tmp_path / "mirror"),
            "MIRROR_NODE_STATE_DIR": str(tmp_path / "state"),
            "MIRROR_NODE_FINALITY": "2",
        }
        node_clients.Miner(client, client("getnewaddress")).mine(40)
        said = typed(f"{install}\n{status}\n{run}\n{status}", tmp_path, wheels, **environ)
        assert len(re.findall(r"node block: 40\n", said)) == 2, said
    (written,) = (tmp_path / "mirror/litecoin/blocks").glob("*.tsv.gz")
    assert written.name == "blockchair_litecoin_blocks_20240301.tsv.gz"
    header, *rows = gzip.decompress(written.read_bytes()).decode().splitlines()
    assert {row.split("\t")[header.split("\t").index("time")][:10] for row in rows} == {"2024-03-01"}


@pytest.mark.long(part="packages")
def test_another_project_takes_each_part_from_its_definition(
    tmp_path: Path, wheels: Path, server: dict[str, str]
) -> None:
    """Offline but for the package index: the Hub's address leads nowhere. Airflow makes its tables and a DAG there."""
    environ = clean_environ(tmp_path) | {
        "CRYPTO_ELT": str(tmp_path),
        "MELTANO_HUB_URL": "http://127.0.0.1:9",
        "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    environ["PATH"] = os.pathsep.join([str(PROJECT / ".venv/bin"), environ["PATH"]])
    shutil.copytree(wheels, tmp_path / "dist")
    for part in ("plugins/hub", "orchestrate/dags"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    subprocess.run(["meltano", "init", "--no-usage-stats", "other"], cwd=tmp_path, env=environ, check=True)
    ask = "meltano invoke tap-blockchair --version\nmeltano invoke tap-coingecko --version\n"
    ask += "meltano invoke target-postgres --version\nmeltano invoke mirror-node --help\n"
    ask += "meltano job add nightly --tasks 'tap-coingecko target-postgres'\n"
    ask += "meltano schedule add nightly --job nightly --interval '@daily'\n"
    airflow, _ = shell("orchestrate/airflow-ext").split("meltano invoke airflow:up")
    address = f"{server['LOCAL_AIRFLOW_PASSWORD']}@{server['LOCAL_WAREHOUSE_HOST']}:{server['LOCAL_WAREHOUSE_PORT']}"
    airflow = airflow.replace("PASSWORD@127.0.0.1:5432", address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{shell('plugins/hub')}\n{ask}{airflow}"],
        cwd=tmp_path / "other",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    for tap in ("tap-blockchair", "tap-coingecko", "target-postgres"):
        assert f"{tap} v{dist().version()}" in said
    assert "Commands:" in said
    assert re.search(r"^nightly\s", said.split("Commands:")[1], re.MULTILINE), "what Airflow makes of the schedule"
