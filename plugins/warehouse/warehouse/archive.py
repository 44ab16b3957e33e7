"""Dump files in a folder: the archive of raw rows, and the table that says which months are only there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse.rights import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import psycopg

NOTED = sql.Identifier(RAW, "archived_months")
# The loader and dbt read it too (target_postgres_copy/tables.py, transform/macros/archived_months.sql).
_DDL = """
create table if not exists {noted} (
    table_name text not null,
    chain text not null,
    month date not null check (extract(day from month) = 1),
    state text not null check (state in ('archived', 'kept', 'returning')),
    rows bigint not null,
    bytes bigint not null,
    files jsonb not null,
    archived_at timestamptz not null default now(),
    primary key (table_name, month)
);
comment on table {noted} is
'Raw tables and months of which rows were dropped, since dump files hold them; `warehouse retain` writes it.';
comment on column {noted}.chain is 'By Blockchair''s name.';
comment on column {noted}.state is
'archived: rows are only in dump files; kept: they are here, others of the chain are not; returning: a restore loads.';
comment on column {noted}.rows is 'Rows that the table had of the month.';
comment on column {noted}.bytes is 'Disk that they took, indexes included; 0 where they were kept.';
comment on column {noted}.files is 'Of each day: file, sha256 of the file, and its rows.';
"""
# As the tap hands a file over that it has downloaded: with the first digits of its sha256.
_HANDED = re.compile(r"(.+)\.[0-9a-f]{12}(\.tsv\.gz)$")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """A dump file that the ledger knows.

    Attributes:
        day: The UTC day of its rows.
        file: Its published name.
        sha256: Of the file, in hex.
        rows: How many it has.
    """

    day: date
    file: str
    sha256: str
    rows: int

    @property
    def published(self) -> str:
        """The name under which the tap looks for it."""
        return published(self.file)


@dataclass(frozen=True)
class Noted:
    """What the warehouse notes of a table's month whose rows are only in the archive, or of one beside such."""

    table: str
    chain: str
    month: date
    state: str
    rows: int
    bytes: int
    files: list[File]


class Archive:
    """A folder of dump files, with all folders below it. A file is read once, however often it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[Path, str] = {}

    def find(self, file: File) -> Path | None:
        """The file with these very bytes; None if there is none."""
        return next((path for path in self.named(file) if self._digest(path) == file.sha256), None)

    def named(self, file: File) -> list[Path]:
        """The files of that name, whatever they hold."""
        return self._paths.get(file.published, [])

    def fault(self, file: File) -> str | None:
        """Why a file is not in the archive as it was loaded; None if it is."""
        if self.find(file):
            return None
        if named := self.named(file):
            return f"{named[0]} is another file than the one that was loaded (sha256 {file.sha256[:12]}...)"
        return f"{file.published} is not in {self.folder}"

    @cached_property
    def _paths(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in sorted(self.folder.rglob("*.tsv.gz")):
            found.setdefault(published(path.name), []).append(path)
        return found

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            self._digests[path] = digest.hexdigest()
        return self._digests[path]


def published(name: str) -> str:
    """The name under which a file was published."""
    handed = _HANDED.match(name)
    return f"{handed[1]}{handed[2]}" if handed else name


def prepare(connection: psycopg.Connection) -> None:
    """Make the table, as the loader, where it is missing."""
    if not exists(connection):
        connection.execute(sql.SQL(_DDL).format(noted=NOTED))


def exists(connection: psycopg.Connection) -> bool:
    """Whether a month was ever archived."""
    return connection.execute("select to_regclass(%s)", (f"{RAW}.archived_months",)).fetchone() != (None,)


def note(connection: psycopg.Connection, months: Iterable[Noted]) -> None:
    """Note months, in the transaction that drops their rows."""
    statement = sql.SQL(
        "insert into {} (table_name, chain, month, state, rows, bytes, files) values (%s, %s, %s, %s, %s, %s, %s)"
    ).format(NOTED)
    for one in months:
        files = [{**asdict(file), "day": file.day.isoformat()} for file in one.files]
        values = (one.table, one.chain, one.month, one.state, one.rows, one.bytes, Jsonb(files))
        connection.execute(statement, values)


def noted(connection: psycopg.Connection, month: date | None = None) -> list[Noted]:
    """What is noted, of a month or of all, by month and table."""
    if not exists(connection):
        return []
    query = sql.SQL(
        "select table_name, chain, month, state, rows, bytes, files from {}"
        " where %(month)s::date is null or month = %(month)s order by month, chain, table_name"
    ).format(NOTED)
    rows = connection.execute(query, {"month": month})
    return [
        Noted(table, chain, of, state, count, size, _files(files))
        for table, chain, of, state, count, size, files in rows
    ]


def _files(stored: list[dict[str, Any]]) -> list[File]:
    return [File(**{**one, "day": date.fromisoformat(one["day"])}) for one in stored]
