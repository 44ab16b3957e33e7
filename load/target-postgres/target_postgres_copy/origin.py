"""The warehouse's mark of origin: whether it holds simulated or live data, so that the two never mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from target_postgres_copy.errors import OriginMismatchError
from target_postgres_copy.own_names import ORIGIN
from target_postgres_copy.settings import ORIGINS
from target_postgres_copy.tables import lock, prepare_schema

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection

_WORDS = {"simulator": "simulated", "live": "live"}


def claim(connection: Connection, schema: str, origin: str) -> None:
    """Mark an unmarked warehouse with an origin, or check the mark it has; makes the schema where it is missing.

    Loaders that start at the same time take turns, so that exactly one of them sets the mark, which is there when the
    connection's transaction is committed.

    Raises:
        OriginMismatchError: If the warehouse is marked with the other origin.
    """
    mark = _mark_table(schema)
    cursor = cast("psycopg.Connection[Any]", connection.connection.driver_connection).cursor()
    prepare_schema(cursor, schema)
    lock(cursor, schema, ORIGIN)
    mark.create(connection, checkfirst=True)
    connection.execute(insert(mark).values(origin=origin).on_conflict_do_nothing())
    found = connection.execute(sa.select(mark.c.origin)).scalar_one()
    if found != origin:
        raise OriginMismatchError(
            f"this warehouse holds {_WORDS[found]} data; refusing to load {_WORDS[origin]} data into it, and nothing "
            f"was written: point the loader to another database, or empty this one and its mark {schema}.{ORIGIN}"
        )


def _mark_table(schema: str) -> sa.Table:
    names = ", ".join(f"'{name}'" for name in ORIGINS)
    return sa.Table(
        ORIGIN,
        sa.MetaData(schema=schema),
        sa.Column("origin", sa.Text, sa.CheckConstraint(f"origin in ({names})"), primary_key=True),
        sa.Column("marked_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
        # An index on a constant lets one row in.
        sa.Index("warehouse_origin_is_one_row", sa.text("(true)"), unique=True),
    )
