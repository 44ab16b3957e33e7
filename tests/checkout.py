"""A checkout of this project in a folder of its own, driven only by what a person can type."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from console.pipeline import Meltano
from console.project import Project

PROJECT = Path(__file__).resolve().parents[1]
BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
SNAPSHOT_SCHEMAS = ("raw_data", "intermediate", "analytics")
# What a load writes about itself, and when; everything else must come out the same each time.
RUN_TIME_COLUMNS = (
    *("_sdc_extracted_at", "_sdc_received_at", "_sdc_batched_at", "_sdc_deleted_at", "_sdc_sequence"),
    *("_sdc_table_version", "_sdc_sync_started_at", "_load_id", "marked_at", "dbt_updated_at", "applied_at"),
)
# Logs of loads and of what tracked them: after another history they say something else about the same data.
LOGS = (
    "load_ledger",
    "load_locks",
    "archived_months",
    "int_loads_tracked",
    "int_price_changes",
    "int_price_rows_seen",
    "int_chain_days",
    "int_changed_days",
    "model_watermarks",
    "fct_pipeline_runs",
)


def make(target: str) -> tuple[str, ...]:
    """The command of a make target with the interpreter that the tests run on."""
    return "make", f"PYTHON={BASE_PYTHON}", target


@dataclass
class Checkout:
    """A copy of the working tree, with the environment that its commands run in."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, timeout: float = 900, check: bool = True, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; programs of its own environment need no path."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environ | extra,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def fails(self, *command: str, **extra: str) -> str:
        """Run a command that has to fail; what it prints."""
        done = self.run(*command, check=False, **extra)
        output = done.stdout + done.stderr
        assert done.returncode != 0, output
        return output

    def start(self, *command: str, output: int = subprocess.PIPE, **extra: str) -> "subprocess.Popen[str]":
        """Start a command as the leader of a process group of its own; who does not read its output leaves it out."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environ | extra,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
            stdin=subprocess.DEVNULL,
        )

    def make(self, target: str, *, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a make target."""
        return self.run(*make(target), check=check, **extra)

    def url(self, role: str) -> str:
        """Connection URL of the local warehouse."""
        return self.run("warehouse", "url", "--role", role).stdout.strip()

    def sql(self, query: str, *parameters: object, role: str = "transformer") -> list[tuple[object, ...]]:
        """Ask the local warehouse."""
        with psycopg.connect(self.url(role)) as connection:
            return connection.execute(query, parameters or None).fetchall()  # type: ignore[arg-type]

    def sql_do(self, command: str, role: str = "transformer") -> None:
        """Let the local warehouse do something."""
        with psycopg.connect(self.url(role)) as connection:
            connection.execute(command)  # type: ignore[call-overload]

    def simulator(self) -> str:
        """The running simulator's address."""
        return str(json.loads(self.run("simulator", "status", "--json").stdout)["url"])

    def at_source(self, event: str, **details: object) -> None:
        """Let something happen at the source: `advance` its clock, `reorg` a chain, `replace` a file."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.simulator()}/_simulator/{event}",
            json.dumps(details).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()  # noqa: S310

    def variables(self) -> dict[str, str]:
        """The LOCAL_* variables of `.env`."""
        lines = (self.root / ".env").read_text().splitlines()
        pairs = (line.split("=", 1) for line in lines if line.startswith("LOCAL_"))
        return {name: value.strip("'\"") for name, value in pairs}

    def own_database(self, name: str) -> dict[str, str]:
        """The WAREHOUSE_* variables that name another database of the local server, with the roles' own passwords."""
        admin, local = urlsplit(self.url("admin")), self.variables()
        roles = ("LOADER", "TRANSFORMER", "BI_READER")
        return {
            "WAREHOUSE_HOST": str(admin.hostname),
            "WAREHOUSE_PORT": str(admin.port),
            "WAREHOUSE_DB": name,
            "WAREHOUSE_ADMIN_USER": str(admin.username),
            "WAREHOUSE_ADMIN_PASSWORD": unquote(str(admin.password)),
            **{f"WAREHOUSE_{role}_PASSWORD": local[f"LOCAL_{role}_PASSWORD"] for role in roles},
        }

    def tables(self) -> dict[str, tuple[int, str]]:
        """Rows and a digest of every table, run-time columns left out."""
        found: dict[str, tuple[int, str]] = {}
        with psycopg.connect(self.url("transformer")) as connection:
            names = connection.execute(
                "select n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
                " where c.relkind in ('r', 'p') and not c.relispartition and c.relname <> all(%s)"
                " and n.nspname = any(%s) order by 1, 2",
                (list(LOGS), list(SNAPSHOT_SCHEMAS)),
            ).fetchall()
            for schema, table in names:
                row = connection.execute(
                    "select count(*), md5(coalesce(string_agg(line, e'\\n' order by line collate \"C\"), ''))"  # noqa: S608
                    f' from (select (to_jsonb(t) - %s::text[])::text as line from "{schema}"."{table}" as t) as lines',
                    (list(RUN_TIME_COLUMNS),),
                ).fetchone()
                assert row is not None
                found[f"{schema}.{table}"] = (row[0], row[1])
        return found

    def bookmarks(self) -> dict[str, object]:
        """The bookmarks of every state id, without what is kept beside them, such as the warehouse's last load."""
        ids = [
            line.strip().removeprefix("local:")
            for line in self.run("meltano", "state", "list").stdout.splitlines()
            if line.strip().startswith("local:")
        ]
        found = {}
        for name in ids:
            output = self.run("meltano", "state", "get", f"local:{name}").stdout.strip().splitlines()[-1]
            found[name] = json.loads(output)["singer_state"]["bookmarks"]
            found[name].pop("_last_loads", None)
        return found


def needed(condition: object, reason: str) -> None:
    """Skip a test for which something is missing on this machine; in CI fail it."""
    if not condition:
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)


def working_tree(*patterns: str) -> list[str]:
    """The files that git tracks and those it would track, of those that exist now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (PROJECT / name).is_file()]


def copy_working_tree(target: Path) -> None:
    """Copy the files of the working tree, as they are now."""
    for name in working_tree():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name)


def clean_environ(root: Path) -> dict[str, str]:
    """The caller's environment without anything that configures the pipeline, with the checkout's programs first."""
    private = (
        *("LOCAL_", "WAREHOUSE_", "MELTANO_", "TAP_", "TARGET_", "DBT_", "BLOCKCHAIR_", "COINGECKO_", "SIMULATOR_"),
        *("DASHBOARD_", "PG"),
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):  # compiling meltano and dbt at each call costs seconds
        environ.pop(name, None)
    environ["PATH"] = os.pathsep.join([str(root / ".venv" / "bin"), environ["PATH"]])
    environ["NO_COLOR"] = "1"
    environ["DBT_LOG_LEVEL_FILE"] = "none"  # what it shows is what a test looks at
    return environ


def install(folder: Path) -> None:
    """Make a checkout with the environment and the plugins of a first run, as `make run` installs them."""
    copy_working_tree(folder)
    checkout = Checkout(folder, clean_environ(folder))
    checkout.run(BASE_PYTHON, "plugins/console/bootstrap.py")
    Meltano(Project(folder), checkout.environ, "tests").install_plugins()
    wipe(folder)


@contextlib.contextmanager
def lend(folder: Path, clean_up: Callable[[Path], None]) -> Iterator[Checkout]:
    """Use a checkout, with the files of the working tree; then stop its servers and clean its folder up."""
    copy_working_tree(folder)
    try:
        yield Checkout(folder, clean_environ(folder))
    finally:
        stop(folder)
        clean_up(folder)


def stop(folder: Path) -> None:
    """End what a checkout runs."""
    if (folder / ".venv/bin/crypto-elt").exists():
        Checkout(folder, clean_environ(folder)).run("crypto-elt", "stop", check=False)


def wipe(folder: Path) -> None:
    """Delete everything but what is installed: rows, bookmarks, logs, edited files."""
    installed = {folder / ".venv", folder / ".meltano"}
    plugins = {
        folder / ".meltano" / name for name in ("extractors", "loaders", "utilities", "crypto-elt-plugins.stamp")
    }
    for path in {*folder.iterdir(), *(folder / ".meltano").iterdir()} - installed - plugins:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def kill_group(process: "subprocess.Popen[str]") -> None:
    """Kill a whole process group the hard way."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
