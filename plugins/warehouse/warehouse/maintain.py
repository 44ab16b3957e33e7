"""Maintenance that PostgreSQL does not do soon enough by itself.

Autovacuum waits until a fifth of a table is dead, so a month that lost a day keeps the space; and it never analyses the
parent of a partitioned table, so the planner knows nothing of the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Error, errors, sql

from warehouse.errors import WarehouseError
from warehouse.rights import BUILT, LOADED
from warehouse.server import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from warehouse.server import Server

_OWNERS = {"loader": LOADED, "transformer": BUILT}
# Longer than a statement of a load holds a table, shorter than a build does.
_LOCK_TIMEOUT = "10s"
_MONTH = re.compile(r"_p\d{4}_\d{2}$")
# Partitioned parents come after all of their months, whose statistics an ANALYZE of the parent renews too.
_TABLES = """
select
    n.nspname::text, c.relname::text, c.relkind = 'p', c.relispartition,
    coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
where n.nspname = any(%(schemas)s)
  and c.relkind in ('r', 'm', 'p') and c.relpersistence <> 't'
  and pg_has_role(c.relowner, 'usage')
  and (%(table)s::text is null or c.relname = %(table)s)
order by c.relkind = 'p', 1, 2
"""


@dataclass(frozen=True)
class Table:
    """A table and what the server counts of it."""

    schema: str
    name: str
    is_parent: bool  # partitioned, without rows of its own
    is_partition: bool
    rows: int
    dead_rows: int

    @property
    def is_detached(self) -> bool:
        """Whether it is a raw table's month that its backfill has not attached, so that no reader sees it."""
        return self.schema in LOADED and not self.is_partition and _MONTH.search(self.name) is not None


@dataclass
class Sums:
    """What was done."""

    tables: int = 0
    skipped: int = 0
    before: int = 0
    after: int = 0


def list_tables(connection: psycopg.Connection, role: str, table: str | None = None) -> list[Table]:
    """The tables that a role keeps, parents of months last; with `table`, those of that name."""
    found = connection.execute(_TABLES, {"schemas": list(_OWNERS[role]), "table": table})
    return [Table(*row) for row in found]


def maintain(server: Server, say: Callable[[str], None], *, dry_run: bool = False) -> Sums:
    """Vacuum and analyse every table of the warehouse, each as its owner and in a statement of its own.

    Loads and builds go on meanwhile: a vacuum hinders neither reading nor writing, only changes of the table itself.

    Raises:
        WarehouseError: A login or a table failed; what was done and what was not tried is in the sentence.
    """
    done, failed, detached, untried = Sums(), [], [], 0
    for role in _OWNERS:
        with connect(server, role, autocommit=True) as connection:
            connection.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
            tables = list_tables(connection, role)
            detached += [f"{table.schema}.{table.name}" for table in tables if table.is_detached]
            for number, table in enumerate(tables, 1):
                place = f"[{number}/{len(tables)}] {table.schema}.{table.name}"
                try:
                    say(f"{place}: {_facts(connection, table) if dry_run else _vacuum(connection, role, table, done)}")
                except errors.LockNotAvailable:
                    done.skipped += 1
                    say(f"{place}: in use for more than {_LOCK_TIMEOUT}, left for the next time")
                except errors.UndefinedTable:
                    say(f"{place}: gone meanwhile")
                except Error as error:
                    reason = next(iter(str(error).splitlines()), type(error).__name__)
                    failed.append(f"{table.schema}.{table.name}: {reason}")
                    say(f"{place}: {reason}")
                    if connection.closed:
                        untried += len(tables) - number
                        break
    for name in detached:
        say(
            f"{name} is not part of its table yet: a backfill left it detached; see "
            "`meltano invoke target-postgres:months list`"
        )
    if failed:
        rest = f"{untried} were not tried, since the connection was lost" if untried else "the others are done"
        raise WarehouseError(
            f"Maintenance of {len(failed)} tables failed, {rest}; "
            f"run it again once this is mended: {'; '.join(failed[:5])}"
        )
    return done


def _vacuum(connection: psycopg.Connection, role: str, table: Table, done: Sums) -> str:
    """Do one table; returns what to say of it."""
    name = sql.Identifier(table.schema, table.name)
    # A month's statistics come with its parent's: sampled once, not twice.
    verb = "analyze {}" if table.is_parent else "vacuum {}" if table.is_partition else "vacuum (analyze) {}"
    connection.execute(sql.SQL(verb).format(name))
    done.tables += 1
    if table.is_parent:
        return "statistics of the whole"
    (now,) = [one for one in list_tables(connection, role, table.name) if one.schema == table.schema] or [table]
    done.before += table.dead_rows
    done.after += now.dead_rows
    return _facts(connection, now, table)


def _facts(connection: psycopg.Connection, table: Table, before: Table | None = None) -> str:
    if table.is_parent:
        return "partitioned"
    dead = f"{table.dead_rows:,} dead rows"
    if before is not None and before.dead_rows != table.dead_rows:
        dead = f"{before.dead_rows:,} dead rows, now {table.dead_rows:,}"
    # Takes a lock, so it is not asked for all tables at once.
    name = sql.Identifier(table.schema, table.name).as_string(connection)
    size = connection.execute("select pg_total_relation_size(%s::regclass)", (name,)).fetchone()
    return f"{table.rows:,} rows, {dead}, {(size[0] if size else 0) / 1e6:,.1f} MB"
