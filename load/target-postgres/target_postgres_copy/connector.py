"""Connections that run in UTC."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from target_postgres.connector import PostgresConnector  # type: ignore[import-untyped]

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from sqlalchemy import Engine


class UtcConnector(PostgresConnector):  # type: ignore[misc]
    """The stock connector, with every session in UTC.

    Date-times land in columns without a zone, so the session's zone decides which wall time is stored. It is set
    by a statement once connected, because that alone wins over the zone of the server, the database, the role, the
    variable PGTZ and the options of a connection URL.
    """

    @override
    def create_engine(self) -> Engine:
        engine: Engine = super().create_engine()
        event.listen(engine, "connect", _use_utc)
        return engine


def _use_utc(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's connection
    autocommit = connection.autocommit
    # Set outside a transaction: the end of one in which it was set might take it back.
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
    connection.autocommit = autocommit
