"""Retention: drops months of raw tables that are verified, settled, in the marts, and kept as dump files.

Blocks stay: they are a thousandth of the rows, and checks and figures of a month depend on blocks of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import errors, sql

from warehouse.archive import Noted, note, noted, prepare
from warehouse.errors import WarehouseError
from warehouse.retainable import BLOCKS, DROPPED, Policy, TableMonth, of_chains
from warehouse.rights import RAW
from warehouse.server import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    import psycopg

    from warehouse.server import Server

_LOCK_TIMEOUT = "10s"
_NEWEST_LOAD = """
select coalesce(max(load_id), 0) from raw_data.load_ledger
where
    table_name = any(%(tables)s)
    and coalesce(first_day, '-infinity') < %(month)s::date + interval '1 month'
    and coalesce(last_day, 'infinity') >= %(month)s
"""
_TAKE = "select from raw_data.load_locks where name = any(%s) for update"
_ADD = "insert into raw_data.load_locks (name) select unnest(%s::text[]) on conflict do nothing"
# A build that has read which days changed would not see the rows of one go. Anybody may see who is connected.
_BUILDS = "select exists (select from pg_stat_activity where datname = current_database() and application_name = 'dbt')"


@dataclass
class ChainMonth:
    """A month of a chain: what would be dropped, and what speaks against it.

    Attributes:
        chain: By Blockchair's name.
        month: Its first day.
        tables: With rows to drop.
        prefix: Of the chain's raw tables.
        reasons: Why it stays; empty where it may be dropped.
        newest_load: The newest load of a day of it, when it was looked at.
    """

    chain: str
    month: date
    tables: list[TableMonth]
    prefix: str
    reasons: list[str] = field(default_factory=list)
    newest_load: int = 0

    @property
    def rows(self) -> int:
        """Rows to drop."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Disk to be freed."""
        return sum(table.bytes for table in self.tables)

    @property
    def names(self) -> list[str]:
        """All tables of which a load would change the month: blocks, those with rows to drop, and those without."""
        return [f"{self.prefix}_{table}" for table in (BLOCKS, *DROPPED)]

    def line(self, *, is_dropped: bool) -> str:
        """What is done with it, or could be, in one line."""
        what = f"{self.chain} {self.month:%Y-%m}: {self.rows:,} rows, {self.bytes / 1e6:,.1f} MB"
        if self.reasons:
            return f"{what}, stays: {'; '.join(self.reasons)}"
        return f"{what}, {'dropped' if is_dropped else 'can be dropped'}"


def plan(server: Server, policy: Policy, say: Callable[[str], None]) -> Iterator[ChainMonth]:
    """Look at the months older than those that stay, one after the other; nothing is changed.

    `say` gets what is looked at, since reading the files takes a while.

    Raises:
        WarehouseError: Nothing was loaded or built yet, or a chain is unknown.
    """
    # Without a transaction, whose locks a drop would wait for.
    with connect(server, "transformer", autocommit=True) as connection:
        returning = {(one.chain, one.month) for one in noted(connection)}
        for chain in of_chains(connection, policy.chains):
            for month in chain.months(connection, older_than=policy.months):
                tables = chain.tables(connection, month)
                one = ChainMonth(chain.name, month, tables, chain.prefix)
                say(f"{chain.name} {month:%Y-%m}: looking at {len(tables)} tables")
                one.newest_load = _newest_load(connection, one)
                if (chain.name, month) in returning:
                    one.reasons = ["a restore of it has not come to its end: run that again"]
                else:
                    one.reasons = list(chain.reasons(connection, month, tables, policy))
                yield one


def drop(server: Server, one: ChainMonth) -> None:
    """Drop a month of a chain that nothing speaks against, and note it, in one transaction.

    Raises:
        WarehouseError: Somebody builds, loads into it, reads it for long, or has loaded into it since it was looked at.
    """
    where = f"{one.chain} {one.month:%Y-%m}"
    with connect(server, "loader") as connection:
        connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
        try:
            # As the loader does: who holds these rows is the only one that loads into the month.
            locks = sorted(f"{name}_p{one.month:%Y_%m}" for name in one.names)
            connection.execute(_ADD, (locks,))
            connection.execute(_TAKE, (locks,))
            if connection.execute(_BUILDS).fetchone() == (True,):
                raise WarehouseError(f"dbt is at work, so {where} stays; run this again when the build has ended.")
            if _newest_load(connection, one) != one.newest_load:
                raise WarehouseError(f"{where} was loaded into meanwhile, and stays; run this again.")
            prepare(connection)
            note(connection, _notes(one))
            for table in one.tables:
                connection.execute(sql.SQL("drop table {}").format(sql.Identifier(RAW, table.partition)))
        except errors.LockNotAvailable:
            raise WarehouseError(
                f"{where} is in use for more than {_LOCK_TIMEOUT}, and stays; those before it are done. Run this again."
            ) from None


def _notes(one: ChainMonth) -> list[Noted]:
    of_tables = [
        Noted(table.name, one.chain, one.month, "archived", table.rows, table.bytes, table.files)
        for table in one.tables
    ]
    others = sorted(set(one.names) - {table.name for table in one.tables})
    return [*of_tables, *(Noted(name, one.chain, one.month, "kept", 0, 0, []) for name in others)]


def _newest_load(connection: psycopg.Connection, one: ChainMonth) -> int:
    row = connection.execute(_NEWEST_LOAD, {"tables": one.names, "month": one.month}).fetchone()
    return int(row[0]) if row else 0
