"""Connections whose settings are known, date-times with their zone, and tables that only ever gain columns."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import TIMESTAMP
from target_postgres.connector import PostgresConnector  # type: ignore[import-untyped]

from target_postgres_copy import schema_change, session, silence

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from singer_sdk.sql.connector import FullyQualifiedName, JSONSchemaToSQL
    from sqlalchemy import Connection, Engine, Table

    from target_postgres_copy.waits import LockWatch


class UtcConnector(PostgresConnector):  # type: ignore[misc]
    """The stock connector, with sessions that inherit no setting which changes what is stored (`session.py`).

    A column without a zone, of an older release or the stock loader, keeps its type and holds the wall time of the
    session's zone, which is UTC therefore.

    Attributes:
        watch: Looks after the sessions; None where nobody does.
    """

    watch: LockWatch | None = None

    @override
    def create_engine(self) -> Engine:
        engine: Engine = super().create_engine()
        # Before SQLAlchemy's own first look at the server, which keeps what it finds.
        event.listen(engine, "connect", self._prepare_session, insert=True)
        event.listen(engine, "do_connect", self._bound_waits)
        return engine

    def _bound_waits(self, _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        """Let no connection wait without end; what `sqlalchemy_url` says goes before."""
        for name, value in {**silence.KEEPALIVES, "connect_timeout": self._seconds("connect_timeout", 10)}.items():
            parameters.setdefault(name, value)
        if self.silence_timeout:
            parameters.setdefault("tcp_user_timeout", 1000 * self.silence_timeout)

    def _prepare_session(self, connection: psycopg.Connection[Any], _record: object) -> None:
        if self.watch is not None:
            self.watch.add(connection.pgconn.backend_pid, connection)
        try:
            runs = self.config.get("statement_timeout") or 0
            pid = session.prepare(
                connection, {"lock_timeout": f"{self.lock_timeout}s", "statement_timeout": f"{runs}s"}
            )
        except BaseException:
            connection.close()
            raise
        if self.watch is not None:
            self.watch.add(pid, connection)

    @property
    def lock_timeout(self) -> int:
        """The longest wait for a lock in seconds, 0 for none."""
        return self._seconds("lock_timeout", 3600)

    @property
    def silence_timeout(self) -> int:
        """The longest wait for a server that gives no sign, in seconds, 0 for none."""
        return self._seconds("silence_timeout", 600)

    def _seconds(self, setting: str, default: int) -> int:
        stated = self.config.get(setting)
        return default if stated is None else int(stated)

    @override
    def get_sqlalchemy_url(self, config: Mapping[str, Any]) -> str:
        """Give the connection's URL, by psycopg 3 whatever driver a setting names: COPY is written with it."""
        url = sa.make_url(super().get_sqlalchemy_url(config))
        if url.host is not None and url.host.startswith(("/", "@")):  # a Unix socket: no part of a URL
            place = {"host": url.host, "port": str(url.port or 5432)}
            url = url.set(host=None).update_query_dict(place)._replace(port=None)
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    @cached_property
    def jsonschema_to_sql(self) -> JSONSchemaToSQL:
        """The stock mapping from JSON schemas to types, but for date-times, which get a zone."""
        mapping: JSONSchemaToSQL = super().jsonschema_to_sql
        mapping.register_format_handler("date-time", lambda _schema: TIMESTAMP(timezone=True))
        return mapping

    def sql_types(self, schema: Mapping[str, Any]) -> dict[str, str]:
        """Give the SQL type of each property.

        Args:
            schema: A stream's JSON schema.

        Returns:
            Types in SQL, by property.
        """
        dialect = self._engine.dialect
        return {name: self.to_sql_type(part).compile(dialect=dialect) for name, part in schema["properties"].items()}

    @override
    def prepare_table(
        self,
        full_table_name: str | FullyQualifiedName,
        schema: dict[str, Any],
        primary_keys: Sequence[str],
        connection: Connection,
        partition_keys: list[str] | None = None,
        as_temp_table: bool = False,
    ) -> Table:
        """Make a table, or add the columns that it lacks.

        Args:
            full_table_name: The table.
            schema: The stream's JSON schema.
            primary_keys: Columns of a new table's primary key.
            connection: A connection in a transaction, in which all of this happens.
            partition_keys: Not used, as in the stock loader.
            as_temp_table: Whether a new table is temporary.

        Returns:
            The table, with all its columns.

        Raises:
            SchemaChangeError: If a column that exists cannot hold every value of the schema.
        """
        _, schema_name, table_name = self.parse_full_table_name(full_table_name)
        metadata = sa.MetaData(schema=schema_name)
        if not sa.inspect(connection).has_table(table_name, schema_name):
            made: Table = self.create_empty_table(
                table_name=table_name,
                meta=metadata,
                schema=schema,
                primary_keys=primary_keys,
                partition_keys=partition_keys,
                as_temp_table=as_temp_table,
                connection=connection,
            )
            return made
        where = schema_name or sa.inspect(connection).default_schema_name or "public"
        driver = cast("psycopg.Connection[Any]", connection.connection.dbapi_connection)
        with driver.cursor() as cursor:
            schema_change.adapt(cursor, where, table_name, self.sql_types(schema))
        return sa.Table(table_name, metadata, autoload_with=connection)
