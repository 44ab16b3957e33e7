"""Locks between loaders: rows of a table that nobody but the loader's role may lock.

An advisory lock is anybody's to take, and `pg_locks` shows every login which numbers are in use. A row can be locked
only by a role that may update its table. Each lock ends with the transaction that took it, however that ends.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

if TYPE_CHECKING:
    from psycopg import Cursor

TABLE = "load_locks"
_DDL = """
create table {locks} (name text primary key);
comment on table {locks} is
'Locks of loaders: a load locks the row that names the table or month it works on, until its transaction ends.';
"""
# What PostgreSQL says of a name that is taken depends on when the other transaction ended: a table has a type as well.
_TAKEN = (errors.UniqueViolation, errors.DuplicateSchema, errors.DuplicateTable, errors.DuplicateObject)


def prepare(cursor: Cursor[Any], schema: str) -> None:
    """Make a schema of raw tables, and its table of locks, where they are missing.

    Loaders that do so at once all succeed: PostgreSQL lets the later one wait for the earlier one's transaction, and
    then refuses the name, which is taken.

    Args:
        cursor: Any.
        schema: The schema.

    Raises:
        psycopg.errors.InsufficientPrivilege: If something is missing, and the role may not make it.
    """
    locks = sql.Identifier(schema, TABLE)
    named = [sql.Identifier(schema).as_string(cursor), locks.as_string(cursor)]
    cursor.execute("select to_regnamespace(%s) is null, to_regclass(%s) is null", named)
    ((lacks_schema, lacks_table),) = cursor.fetchall()
    if lacks_schema:
        with suppress(*_TAKEN), cursor.connection.transaction():
            cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    if lacks_table:
        with suppress(*_TAKEN), cursor.connection.transaction():
            cursor.execute(sql.SQL(_DDL).format(locks=locks))


def lock(cursor: Cursor[Any], schema: str, name: str) -> None:
    """Let no other loader do what is done under the same name, until the transaction ends.

    The name stands in the statement itself, where `waits.py` reads it.

    Args:
        cursor: In a transaction.
        schema: The schema, which `prepare` has seen.
        name: What is locked: a table or a month of one.
    """
    fill = {"locks": sql.Identifier(schema, TABLE), "name": sql.Literal(name)}
    take = sql.SQL("select from {locks} where name = {name} for update").format(**fill)
    add = sql.SQL("insert into {locks} (name) values ({name}) on conflict do nothing").format(**fill)
    # A row that another transaction is adding cannot be seen; to add it as well waits for that transaction.
    while not cursor.execute(take).rowcount and not cursor.execute(add).rowcount:
        pass
