"""A copy of the warehouse and its bookmarks in one folder, made while loads and builds go on.

Bookmarks are read first: rows may be ahead of a bookmark, since a repeated load replaces them, and never behind it. Raw
tables are dumped by their owner and the built ones by theirs, both of one snapshot of the database.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse.clients import find_client, run_client
from warehouse.errors import WarehouseError
from warehouse.rights import BUILT, RAW
from warehouse.server import AIRFLOW, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from warehouse.bookmarks import Bookmarks
    from warehouse.server import Server

MANIFEST = "backup.json"
BOOKMARKS = "bookmarks.json"
# Folder of the backup, who dumps and restores it, and the schemas.
PARTS = ((RAW, "loader", (RAW,)), ("built", "transformer", BUILT))
# A step of a build may hold a table for long; a dump that waits for ever would say nothing.
_LOCK_WAIT = "--lock-wait-timeout=15min"
_FORM = 1


@dataclass(frozen=True)
class Deployment:
    """What belongs together.

    Attributes:
        server: The warehouse.
        airflow: The server of Airflow's metadata; None leaves them out.
        bookmarks: Of the warehouse's environment.
    """

    server: Server
    airflow: Server | None
    bookmarks: Bookmarks


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        environment: Whose warehouse it was.
        database: Its database.
        made_at: When, in UTC.
        server_version: Major version of the PostgreSQL.
        origin: simulator or live; None where nothing was loaded.
        last_load: The newest load of the ledger, number and time; None where there is none.
        has_airflow: Whether Airflow's metadata are in it.
        files: sha256 of each file, by its path in the folder.
        form: Of this file.
    """

    environment: str
    database: str
    made_at: str
    server_version: int
    origin: str | None
    last_load: list[Any] | None
    has_airflow: bool
    files: dict[str, str] = field(default_factory=dict)
    form: int = _FORM


def back_up(what: Deployment, folder: Path, say: Callable[[str], None], *, jobs: int = 2) -> Path:
    """Write a backup into a folder of its own below `folder`, which appears whole or not at all.

    Args:
        what: Where all that belongs together is.
        folder: Where backups are kept.
        say: Takes a line of progress.
        jobs: How many tables of raw data are dumped at once.

    Returns:
        The backup's folder.

    Raises:
        WarehouseError: A connection, a dump or Meltano failed; nothing is left of the backup.
    """
    server, airflow = what.server, what.airflow
    now = datetime.now(UTC).replace(microsecond=0)
    made = folder / f"{server.database}-{now:%Y%m%dT%H%M%SZ}"
    new = folder / f".{made.name}.part"
    new.mkdir(mode=0o700, parents=True)
    try:
        states = what.bookmarks.read()
        (new / BOOKMARKS).write_text(json.dumps(states, indent=1))
        say(f"{len(states)} bookmarks of {server.environment}")
        with connect(server, "transformer") as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            (snapshot,) = connection.execute("select pg_export_snapshot()").fetchone() or ("",)
            major = connection.info.server_version // 10000
            origin, last_load = _facts(connection)
            _dump_parts(server, new, snapshot, major, jobs)
        say(f"database {server.database} at {server.host}:{server.port}, {_size(new)} compressed")
        if airflow is not None:
            _dump_airflow(airflow, new)
            say(f"database {airflow.database} of Airflow at {airflow.host}:{airflow.port}")
        manifest = Manifest(
            server.environment,
            server.database,
            now.isoformat(),
            major,
            origin,
            last_load,
            has_airflow=airflow is not None,
            files=digests(new),
        )
        (new / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
        new.rename(made)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return made


def thin_out(folder: Path, database: str, keep: int) -> list[Path]:
    """Delete all but the newest backups of a database in a folder; returns what was deleted."""
    made = sorted(path.parent for path in folder.glob(f"{database}-*Z/{MANIFEST}"))
    for old in made[:-keep]:
        shutil.rmtree(old)
    return made[:-keep]


def read_backup(folder: Path) -> Manifest:
    """Read a backup's manifest and compare its files with it.

    Raises:
        WarehouseError: It is no backup, of a newer release, or its files are not those that were written.
    """
    try:
        held = json.loads((folder / MANIFEST).read_text())
        manifest = Manifest(**held)
    except FileNotFoundError:
        raise WarehouseError(f"{folder} holds no {MANIFEST}, so it is no backup of `warehouse backup`.") from None
    except (ValueError, TypeError):
        raise WarehouseError(
            f"{folder / MANIFEST} is not of this release: restore with the one that wrote it."
        ) from None
    if manifest.form != _FORM:
        raise WarehouseError(f"{folder / MANIFEST} is not of this release: restore with the one that wrote it.")
    found = digests(folder)
    wrong = sorted(name for name, digest in manifest.files.items() if found.get(name) != digest)
    if wrong:
        raise WarehouseError(
            f"{len(wrong)} files of {folder} are missing or not as they were written ({', '.join(wrong[:3])}): use "
            "another backup. Nothing was changed."
        )
    return manifest


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file below a folder, its manifest left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _facts(connection: psycopg.Connection) -> tuple[str | None, list[Any] | None]:
    """The origin of the rows, and the newest load."""
    found = connection.execute("select to_regclass('raw_data.warehouse_origin'), to_regclass('raw_data.load_ledger')")
    has_origin, has_ledger = found.fetchone() or (None, None)
    origin = connection.execute("select origin::text from raw_data.warehouse_origin").fetchone() if has_origin else None
    load = (
        connection.execute(
            "select load_id, (loaded_at at time zone 'UTC')::text from raw_data.load_ledger"
            " order by load_id desc limit 1"
        ).fetchone()
        if has_ledger
        else None
    )
    return origin[0] if origin else None, list(load) if load else None


def _dump_parts(server: Server, new: Path, snapshot: str, major: int, jobs: int) -> None:
    """Dump all parts at once, so that each holds its tables before a build could replace them."""
    program = find_client("pg_dump", server, major)

    def dump(part: tuple[str, str, tuple[str, ...]]) -> None:
        name, role, schemas = part
        words = [f"--jobs={jobs if name == RAW else 1}", *(f"--schema={schema}" for schema in schemas)]
        options = ("--format=directory", f"--file={new / name}", f"--snapshot={snapshot}", _LOCK_WAIT)
        run_client(program, server, role, *options, *words)

    with ThreadPoolExecutor(len(PARTS)) as threads:
        for each in [threads.submit(dump, part) for part in PARTS]:
            each.result()


def _dump_airflow(airflow: Server, new: Path) -> None:
    with connect(airflow, AIRFLOW) as connection:
        major = connection.info.server_version // 10000
    words = ("--format=directory", f"--file={new / AIRFLOW}", "--schema=public", _LOCK_WAIT)
    run_client(find_client("pg_dump", airflow, major), airflow, AIRFLOW, *words)


def _size(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:,.1f} MB"
