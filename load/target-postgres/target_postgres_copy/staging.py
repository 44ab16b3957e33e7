"""A temporary table in which rows wait until their unit is complete, or their batch is."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy import copying, lineage, upsert
from target_postgres_copy.lineage import LOAD_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_postgres_copy.dumpfile import DumpFile
    from target_postgres_copy.run import Run
    from target_postgres_copy.tables import RawTable


class Staging:
    """A table of the session's own with a raw table's columns; it ends with the session, also with one that is killed.

    Args:
        run: What it shares with other loads.
        table: The raw table.
        load_id: The load's number, which every row gets.
    """

    def __init__(self, run: Run, table: RawTable, load_id: int) -> None:
        cursor = run.cursor
        self._cursor = cursor
        self._table = table
        self._load_id = load_id
        self._written = {LOAD_ID}
        name = f"staging_{secrets.token_hex(8)}"
        self.identifier = sql.Identifier("pg_temp", name)
        self._lines = sql.Identifier("pg_temp", f"{name}_line_seq")
        cursor.execute(sql.SQL("create temporary table {} (like {})").format(sql.Identifier(name), table.identifier))
        if lineage.LINE in table.columns:
            cursor.execute(
                sql.SQL("create temporary sequence {} cache 10000").format(sql.Identifier(f"{name}_line_seq"))
            )
        lineage.set_defaults(cursor, self.identifier, {LOAD_ID: sql.Literal(load_id)})

    @property
    def columns(self) -> list[str]:
        """The columns that were written, in the table's order; others say nothing."""
        return [name for name in self._table.columns if name in self._written]

    def add_rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows; returns how many."""
        self._written.update(columns)
        return upsert.copy_rows(self._cursor, self.identifier, columns, rows)

    def add_file(self, file: DumpFile, constants: Mapping[str, Any], sync_started_at: int) -> int:
        """Write a dump file's rows: columns that the table lacks are left out, empty fields are null but in text.

        Args:
            file: The dump.
            constants: Columns with the same value in each row.
            sync_started_at: Milliseconds since 1970.

        Returns:
            How many rows were written.

        Raises:
            UnitError: If a row is not as the table wants it.
        """
        given = lineage.defaults(
            [name for name in self._table.columns if name not in file.columns],
            constants=constants,
            load_id=self._load_id,
            sync_started_at=sync_started_at,
            line_sequence=self._lines,
        )
        self._written.update(given, file.columns)
        lineage.set_defaults(self._cursor, self.identifier, given)
        lines = self._lines if lineage.LINE in given else None
        return copying.copy_file(self._cursor, self.identifier, self._table, file, lines)

    def drop(self) -> None:
        """Drop the table."""
        self._cursor.execute(sql.SQL("drop table {}").format(self.identifier))
        if lineage.LINE in self._table.columns:
            self._cursor.execute(sql.SQL("drop sequence {}").format(self._lines))
