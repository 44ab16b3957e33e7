"""The warehouse as one loader process sees it: its connection, its ledger, and tables that are made ready once each."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from psycopg import sql

from target_postgres_copy import bookmarks, bounds, locks, origin
from target_postgres_copy.ledger import Ledger, Run
from target_postgres_copy.lineage import LOAD_ID
from target_postgres_copy.queries import columns_of
from target_postgres_copy.tables import PartitionedTable, RawTable
from target_postgres_copy.units import Partitioning
from target_postgres_copy.waits import LockWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg
    from psycopg import Cursor
    from singer_sdk.sql import SQLSink
    from sqlalchemy import Connection

    from target_postgres_copy.connector import UtcConnector


logger = logging.getLogger(__name__)

# Tables, or months of them, with rows that the planner's statistics do not count.
_CHANGED = """
    select held.oid::regclass::text from pg_class as held
    left join pg_inherits on pg_inherits.inhrelid = held.oid
    left join pg_class as parent on parent.oid = pg_inherits.inhparent
    where held.relkind = 'r' and coalesce(parent.oid, held.oid) = any(%s::text[]::regclass[])
        and pg_stat_get_mod_since_analyze(held.oid) > 0
"""


class Warehouse:
    """One PostgreSQL database, reached by one connection of this process.

    Args:
        connector: Knows how to connect, and makes tables.
        config: The loader's settings.
        run_id: The pipeline run, for the ledger.
    """

    def __init__(self, connector: UtcConnector, config: Mapping[str, Any], run_id: str) -> None:
        self._connector = connector
        self.watch = connector.watch = LockWatch(connector.lock_timeout, connector.silence_timeout)
        self._config = config
        self._run_id = run_id
        self._started_at = round(time.time() * 1000)
        self._session: Connection | None = None
        self._runs: dict[str, Run] = {}
        self._tables: dict[str, RawTable] = {}
        self._emptied: dict[str, set[str]] = {}

    def run_of(self, sink: SQLSink[Any]) -> Run:
        """What loads into a sink's schema share; the schema, the ledger and the mark of origin are there afterwards."""
        name = self._schema_of(sink)
        if name not in self._runs:
            if (expected := self._config.get("data_origin")) is not None:
                with self._second_connection() as connection:
                    origin.claim(connection, name, expected)
            cursor = self.cursor
            ledger = Ledger(name, self._run_id)
            with cursor.connection.transaction():
                ledger.prepare(cursor)
            if self._config.get("check_state"):
                self._emptied[name] = bookmarks.emptied(cursor, name)
            self._runs[name] = Run(
                cursor,
                ledger,
                self._started_at,
                self.beside,
                backfill=bool(self._config.get("backfill")),
                reload=bool(self._config.get("reload")),
                allow_empty=bool(self._config.get("allow_empty")),
                verify=bool(self._config.get("verify")),
            )
        return self._runs[name]

    def table_of(self, sink: SQLSink[Any]) -> RawTable:
        """Make a sink's table ready: new, or with the columns that the schema has and the table lacks.

        A unit opens a sink of its own, so this looks at the database once for each different set of columns.
        """
        name, schema = sink.table_name, self._schema_of(sink)
        partitioning = Partitioning.of(sink.stream_name, sink.original_schema)
        key = repr((schema, name, sink.schema["properties"], list(sink.key_properties)))
        if key not in self._tables:
            self.run_of(sink)
            with self._second_connection() as connection:
                locks.lock(_driver(connection).cursor(), schema, name)  # loaders that start at once take turns
                table = self._ready(connection, sink, schema, name, partitioning)
            self._tables[key] = table
        return self._tables[key]

    @property
    def cursor(self) -> Cursor[Any]:
        """A cursor of the connection that loads use, in autocommit."""
        return _driver(self._connection()).cursor()

    @contextmanager
    def beside(self) -> Iterator[Cursor[Any]]:
        """Give a cursor of a second connection, in a transaction that ends with the block."""
        with self._second_connection() as connection:
            yield _driver(connection).cursor()

    def mark(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Note in a state the last loads of the schemas that this process has loaded into."""
        return bookmarks.mark(self.cursor, state, self._runs)

    def check(self, state: Mapping[str, Any]) -> tuple[dict[str, Any], bookmarks.OtherWarehouseError] | None:
        """Compare what a state counts with what is committed: see `bookmarks.check`."""
        with self.beside() as cursor:
            return bookmarks.check(cursor, state, self._emptied)

    def renew_statistics(self) -> None:
        """Tell the planner what came.

        PostgreSQL does it by itself once a tenth of a table is new and a minute has gone. A day more of a month is less
        than that, and what reads it next would be planned for one row.
        """
        if not self._tables:
            return
        cursor = self.cursor
        names = [table.identifier.as_string(cursor) for table in self._tables.values()]
        cursor.execute("select pg_stat_force_next_flush()")
        cursor.execute(_CHANGED, [names])
        for (name,) in cursor.fetchall():
            cursor.execute(sql.SQL("analyze (skip_locked) {}").format(sql.SQL(name)))

    def tell_detached(self) -> None:
        """Warn of months that somebody has detached and no load has attached again: readers do not see their rows."""
        tables = {(table.schema, table.name): table.partitions for table in self._tables.values()}
        for (schema, name), parts in tables.items():
            for month in parts.months(self.cursor) if parts is not None else ():
                if month.detached:
                    logger.warning(
                        "%s.%s was detached from %s.%s: its rows are kept, and no reader of the table sees them. "
                        "`target-postgres-copy-months attach --month %s` makes it part of the table again, and so "
                        "does a load into it; one that is to stay out takes another name.",
                        *(schema, month.name, schema, name, f"{month.start:%Y-%m}"),
                    )

    def close(self) -> None:
        """Close all connections; what was not committed is gone."""
        self.watch.close()
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = None
            self._runs.clear()
        self._connector._engine.dispose()  # noqa: SLF001 - as above

    def _ready(
        self, connection: Connection, sink: SQLSink[Any], schema: str, name: str, partitioning: Partitioning | None
    ) -> RawTable:
        cursor = _driver(connection).cursor()
        parts = PartitionedTable(schema, name, partitioning) if partitioning else None
        if parts is not None and not columns_of(cursor, schema, name):
            parts.create(cursor, self._connector.sql_types(sink.schema))
        self._connector.prepare_table(
            full_table_name=sink.full_table_name,
            schema=sink.schema,
            primary_keys=sink.key_properties,
            connection=connection,
            as_temp_table=False,
        )
        self._add_load_id(cursor, schema, name)
        is_cut = parts is not None and parts.is_partitioned(cursor)
        columns = columns_of(cursor, schema, name)
        return RawTable(
            schema,
            name,
            columns,
            tuple(sink.key_properties),
            parts if is_cut else None,
            bounds.of(sink.schema["properties"], columns) if sink.validate_schema else {},
        )

    def _add_load_id(self, cursor: Cursor[Any], schema: str, name: str) -> None:
        if LOAD_ID not in columns_of(cursor, schema, name):
            add = sql.SQL("alter table {} add column if not exists {} bigint")
            cursor.execute(add.format(sql.Identifier(schema, name), sql.Identifier(LOAD_ID)))

    def _schema_of(self, sink: SQLSink[Any]) -> str:
        if sink.schema_name:
            return str(sink.schema_name)
        return str(self._connection().execute(sa.select(sa.func.current_schema())).scalar() or "public")

    @contextmanager
    def _second_connection(self) -> Iterator[Connection]:
        """Lend another connection than that of the loads, in a transaction that ends with the block."""
        with self._connector._connect() as connection, connection.begin():  # noqa: SLF001 - as the stock sink does
            yield connection

    def _connection(self) -> Connection:
        """The one connection of all loads, in autocommit: loads open their transactions themselves."""
        if self._session is None:
            engine = self._connector._engine  # noqa: SLF001 - the connector's only door to it
            self._session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._session


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
