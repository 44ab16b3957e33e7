"""Who loads: plain psql as the yardstick, this project's loader, two other Singer targets, and dlt."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import sql
from tiles import read_sample

from loader_speed import checks
from loader_speed.data import LAST_DAY, MONTH, STREAM, Load, Source, sql_type
from loader_speed.environments import build, plain_environ
from loader_speed.errors import WrongLoadError
from loader_speed.process import Usage, run
from loader_speed.server import HOST, LOADER, SCHEMA, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

_SDC = {
    "_sdc_extracted_at": "timestamp with time zone",
    "_sdc_received_at": "timestamp with time zone",
    "_sdc_batched_at": "timestamp with time zone",
    "_sdc_deleted_at": "timestamp with time zone",
    "_sdc_sequence": "bigint",
    "_sdc_table_version": "bigint",
    "_sdc_sync_started_at": "bigint",
}
_LEAF = "bitcoin_transactions_p2024_01"


@dataclass(frozen=True)
class Bench:
    """What all contenders share: the server, files and messages, the true rows, a folder for configuration and logs."""

    server: Server
    source: Source
    sample: Path
    folder: Path

    def fresh_folder(self, name: str) -> Path:
        """An empty folder."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


class Contender(Protocol):
    """A way to load."""

    name: str

    def prepare(self, bench: Bench, database: str, load: Load) -> None:
        """Do what is not measured: make messages, tables and configuration."""

    def run(self, bench: Bench, database: str, load: Load) -> Usage:
        """Load; this is measured."""

    def check(self, bench: Bench, database: str, loads: list[Load]) -> None:
        """See that the table holds just these loads."""


class Yardstick:
    r"""`zcat file | psql \copy` into an empty monthly partition that has its indexes.

    The partition is equal to the loader's: the same columns, indexes, and defaults that fill the columns of lineage. A
    bare one has no such defaults, so that lineage stays empty.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self.name = "psql \\copy, lineage left empty" if bare else "psql \\copy"
        self._filled = not bare

    def prepare(self, bench: Bench, database: str, load: Load) -> None:
        """Make the table as this project's loader makes it."""
        columns = table_columns(bench.source.schema(load))
        each = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
        )
        parts = {
            "parent": sql.Identifier(SCHEMA, STREAM),
            "leaf": sql.Identifier(SCHEMA, _LEAF),
            "columns": each,
            "start": sql.Literal(f"{MONTH} 00:00:00+00"),
            "stop": sql.Literal("2024-02-01 00:00:00+00"),
            "slice": sql.Literal(f"bitcoin/transactions/{LAST_DAY}"),
            "day": sql.Literal(str(LAST_DAY)),
        }
        statements = [
            "create table {parent} ({columns}) partition by range (time)",
            "create index on {parent} (block_id)",
            "create index on {parent} using brin (time) with (pages_per_range = 32)",
            "create table {leaf} partition of {parent} for values from ({start}) to ({stop})",
        ]
        if self._filled:
            statements.append("create sequence raw_data.line cache 10000 start 2")
            statements.append(
                "alter table {leaf} alter _channel set default 'dumps', alter _unit set default {slice},"
                " alter _line set default nextval('raw_data.line'), alter _dump_day set default {day},"
                " alter _load_id set default 1, alter _sdc_extracted_at set default now(),"
                " alter _sdc_received_at set default now(), alter _sdc_batched_at set default now(),"
                " alter _sdc_sequence set default 1704067200000, alter _sdc_sync_started_at set default 1704067200000"
            )
        with bench.server.connect(database, LOADER) as connection:
            for statement in statements:
                connection.execute(sql.SQL(statement).format(**parts))

    def run(self, bench: Bench, database: str, load: Load) -> Usage:
        """Copy the one file."""
        (dump,) = load.dumps
        copy = f"\\copy {SCHEMA}.{_LEAF} ({', '.join(_header(bench))}) from pstdin with (format text, header true)"
        environ = plain_environ() | {"PGPASSWORD": bench.server.password, "FILE": str(dump.path), "COPY": copy}
        psql = f"{bench.server.programs}/psql -X -q -h {HOST} -p {bench.server.port} -U {LOADER} -d {database}"
        command = ["sh", "-c", f'zcat "$FILE" | {psql} -v ON_ERROR_STOP=1 -c "$COPY"']
        return run(command, environ=environ, log=bench.folder / "psql.log")

    def check(self, bench: Bench, database: str, loads: list[Load]) -> None:
        """Rows, heights, values; lineage where it was filled."""
        with bench.server.connect(database) as connection:
            table = checks.Table(connection, STREAM, lineage=self._filled)
            checks.check(table, [dump for load in loads for dump in load.dumps], bench.sample)
            checks.check_indexes(table)


@dataclass
class SingerTarget:
    """A Singer target that reads messages from its standard input."""

    name: str  # how it is called in the table
    environment: str  # one of the recipes
    program: str
    kind: str  # `batch` or `records`, what it is fed with
    database_setting: str = "database"  # what the target calls the database
    settings: Mapping[str, object] = field(default_factory=dict)  # more of its configuration

    def prepare(self, bench: Bench, database: str, load: Load) -> None:
        """Make messages and configuration."""
        bench.source.messages(load, self.kind)
        config = {
            "host": HOST,
            "port": bench.server.port,
            "user": LOADER,
            "password": bench.server.password,
            self.database_setting: database,
            "default_target_schema": SCHEMA,
            **self.settings,
        }
        path = self._config(bench, database)
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))

    def run(self, bench: Bench, database: str, load: Load) -> Usage:
        """Feed it."""
        program = build(self.environment) / self.program
        config = self._config(bench, database)
        return run(
            [str(program), "--config", str(config)],
            environ=plain_environ(),
            log=bench.folder / f"{self.environment}.log",
            stdin=bench.source.messages(load, self.kind),
            fed=self.kind == "batch",
        )

    def check(self, bench: Bench, database: str, loads: list[Load]) -> None:
        """Rows, lines and values; of this project's loader also partitions, indexes, columns and ledger."""
        dumps = [dump for load in loads for dump in load.dumps]
        with bench.server.connect(database) as connection:
            table = checks.Table(connection, STREAM)
            checks.check(table, dumps, bench.sample)
            if self.environment == "ours":
                check_own(table, bench, loads, checksums=bool(self.settings.get("verify")))

    def _config(self, bench: Bench, database: str) -> Path:
        return bench.folder / f"{database}.json"


class Dlt:
    """dlt with pyarrow, by `append` or `merge`."""

    def __init__(self, disposition: str) -> None:
        self.name = f"dlt, pyarrow, {disposition}"
        self._disposition = disposition

    def prepare(self, bench: Bench, database: str, load: Load) -> None:
        """Write the configuration."""
        (dump,) = load.dumps
        properties = bench.source.schema(load)["properties"]
        config = {
            "credentials": {
                "host": HOST,
                "port": bench.server.port,
                "username": LOADER,
                "database": database,
            },
            "schema": SCHEMA,
            "table": STREAM,
            "key": ["block_id", "hash"],
            "path": str(dump.path),
            "types": {name: sql_type(properties[name]) for name in _header(bench)},
            "slice": dump.slice,
            "day": str(dump.tiling.day),
            "folder": str(bench.fresh_folder(f"dlt-{database}")),
        }
        (bench.folder / f"{database}.json").write_text(json.dumps(config))

    def run(self, bench: Bench, database: str, load: Load) -> Usage:  # noqa: ARG002 - the configuration names it
        """Run the pipeline."""
        script = Path(__file__).with_name("dlt_load.py")
        folder = bench.folder / f"dlt-{database}"
        environ = plain_environ() | {
            "PGPASSWORD": bench.server.password,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "HOME": str(folder),
        }
        command = [str(build("dlt") / "python"), "-P", str(script), self._disposition]
        config = str(bench.folder / f"{database}.json")
        return run([*command, config], environ=environ, log=bench.folder / "dlt.log", cwd=folder)

    def check(self, bench: Bench, database: str, loads: list[Load]) -> None:
        """Rows, lines and values."""
        shutil.rmtree(bench.folder / f"dlt-{database}", ignore_errors=True)  # it keeps what it loaded
        with bench.server.connect(database) as connection:
            checks.check(checks.Table(connection, STREAM), [d for load in loads for d in load.dumps], bench.sample)


def check_own(table: checks.Table, bench: Bench, loads: list[Load], *, checksums: bool = False) -> None:
    """See that this project's loader left a ledger, indexes, and the very table that the yardstick fills.

    Raises:
        WrongLoadError: It did not.
    """
    checks.check_ledger(table, [dump for load in loads for dump in load.dumps], checksums=checksums)
    checks.check_indexes(table)
    expected, found = table_columns(bench.source.schema(loads[0])), table.columns()
    if expected != found:
        differing = sorted({name for name, _ in expected.items() ^ found.items()})
        raise WrongLoadError(f"The yardstick's table is not equal to the loader's in {', '.join(differing)}.")


def table_columns(schema: dict[str, Any]) -> dict[str, str]:
    """The SQL types of the raw table's columns, of a stream with that JSON schema."""
    columns = {name: sql_type(kind) for name, kind in schema["properties"].items()}
    return columns | _SDC | {"_load_id": "bigint"}


def _header(bench: Bench) -> list[str]:
    return read_sample(bench.sample)[0]


def ours(kind: str, *, verify: bool = False) -> SingerTarget:
    """This project's loader, fed with `batch` or `records`; with `verify` it notes checksums of what it loaded."""
    name = f"target-postgres-copy, {'BATCH' if kind == 'batch' else 'RECORD'}{', verify' if verify else ''}"
    return SingerTarget(name, "ours", "target-postgres-copy", kind, settings={"verify": True} if verify else {})


def stock() -> SingerTarget:
    """The loader that this project's is built on, with its defaults."""
    return SingerTarget("meltanolabs-target-postgres 0.8.1", "stock", "target-postgres", "records")


def pipelinewise() -> SingerTarget:
    """PipelineWise's target, with its defaults."""
    return SingerTarget(
        "pipelinewise-target-postgres 2.1.2", "pipelinewise", "target-postgres", "records", database_setting="dbname"
    )
