"""The warehouse's mark of origin: whether it holds simulated or live data, so that the two never mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.errors import OriginMismatchError
from target_postgres_copy.own_names import ORIGIN
from target_postgres_copy.settings import ORIGINS
from target_postgres_copy.tables import lock

if TYPE_CHECKING:
    from psycopg import Cursor

_WORDS = {"simulator": "simulated", "live": "live"}
# An index on a constant lets one row in.
_DDL = """
create table if not exists {mark} (
    origin text primary key check (origin in ({origins})),
    marked_at timestamptz not null default now()
);
create unique index if not exists warehouse_origin_is_one_row on {mark} ((true))
"""


def check(cursor: Cursor[Any], schema: str, origin: str) -> bool:
    """Compare the mark with an origin; gives whether there is a mark.

    Raises:
        OriginMismatchError: If the warehouse is marked with the other origin.
    """
    mark = sql.Identifier(schema, ORIGIN)
    cursor.execute("select to_regclass(%s) is not null", [mark.as_string(cursor)])
    if cursor.fetchone() != (True,):
        return False
    found = cursor.execute(sql.SQL("select origin from {}").format(mark)).fetchone()
    if found not in {None, (origin,)}:
        raise OriginMismatchError(
            f"this warehouse holds {_WORDS[found[0]]} data; refusing to load {_WORDS[origin]} data into it, and "
            f"nothing was written: point the loader to another database, or empty this one and its mark "
            f"{schema}.{ORIGIN}"
        )
    return found is not None


def claim(cursor: Cursor[Any], schema: str, origin: str) -> None:
    """Mark an unmarked warehouse with an origin, or check the mark it has, in the transaction that loads rows.

    So a run that loads no row marks nothing. Loaders whose first rows come at the same time take turns, so that exactly
    one of them sets the mark. `prepare_schema` was called before.

    Raises:
        OriginMismatchError: If the warehouse is marked with the other origin.
    """
    if check(cursor, schema, origin):
        return
    lock(cursor, schema, ORIGIN)
    if check(cursor, schema, origin):
        return
    mark = sql.Identifier(schema, ORIGIN)
    origins = sql.SQL(", ").join(map(sql.Literal, ORIGINS))
    cursor.execute(sql.SQL(_DDL).format(mark=mark, origins=origins))
    cursor.execute(sql.SQL("insert into {} (origin) values (%s)").format(mark), [origin])
