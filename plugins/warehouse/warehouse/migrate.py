"""Brings a warehouse that an older release has filled to this one.

The table `intermediate.warehouse_revision` says of which revision the built tables are; dbt writes it where it builds
the first time (transform/macros/revision.sql). A warehouse without a row there is older than the first revision. What
the loader and dbt do by themselves, such as adding columns, is theirs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import errors, sql

from warehouse.errors import WarehouseError
from warehouse.rights import RAW
from warehouse.server import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from warehouse.server import Server

# That of transform/dbt_project.yml.
REVISION = 3
_MARK = sql.Identifier("intermediate", "warehouse_revision")
_TURN = sql.Identifier("intermediate", "warehouse_migration")  # a table that is never there for others to see
_PLAN = ("run-operation", "plan_migration")
_BUILD = ("build", "--full-refresh", "--exclude-resource-type", "unit_test", "--vars")
_IS_BUILT = """
select exists (
    select from pg_class
    where relnamespace in (to_regnamespace('intermediate'), to_regnamespace('analytics'))
        and relkind in ('r', 'p', 'v', 'm') and relname not in ('warehouse_revision', 'model_watermarks')
)
"""
# Tables whose rows have a key, and so may have been left alone by a load of their unit. Others insert each row anew.
_KEYED = """
select c.relname::text
from pg_class c
join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relnamespace = to_regnamespace(%(schema)s) and c.relkind = 'r'
  and (select count(*) = 2 from pg_attribute a
       where a.attrelid = c.oid and a.attname in ('_unit', '_load_id') and not a.attisdropped)
order by 1
"""
# Marts that are cut by month as the raw tables are of which they are made.
_CUT = {
    "fct_transactions": "transactions",
    "fct_transaction_outputs": "outputs",
    "fct_transaction_inputs": "inputs",
    "fct_eth_calls": "calls",
    "fct_token_transfers": "erc20_transactions",
}
_MONTHS = """
select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass(%s) order by 1
"""
_LEFT_ALONE = """
with last as (
    select distinct on (unit) unit, load_id, rows_loaded
    from {ledger} where table_name = {name} and unit is not null
    order by unit, load_id desc
)
select last.unit, last.load_id, count(*) filter (where held._load_id < last.load_id)
from last join {table} held on held._unit = last.unit
group by 1, 2, last.rows_loaded
having count(*) filter (where held._load_id < last.load_id) > 0
   and count(*) filter (where held._load_id = last.load_id) = last.rows_loaded
   and count(*) filter (where held._load_id <= last.load_id) = count(*)
order by 1
"""


@dataclass(frozen=True)
class Dbt:
    """dbt as Meltano runs it for an environment."""

    root: Path
    environment: str
    env_file: Path | None = None  # what Meltano reads in place of .env

    def __call__(self, *arguments: str) -> bool:
        """Run a command of dbt's, which prints what it does; returns whether it succeeded."""
        words = [str(Path(sys.executable).with_name("meltano")), "--environment", self.environment]
        words += ["--env-file", str(self.env_file)] if self.env_file else []
        words += ["invoke", "--no-install", "dbt-postgres", *arguments]
        return subprocess.run(words, cwd=self.root, check=False, stdin=subprocess.DEVNULL).returncode == 0


def migrate(
    server: Server,
    dbt: Callable[..., bool],
    say: Callable[[str], None],
    *,
    dry_run: bool = False,
    forget: bool = False,
) -> bool:
    """Bring a warehouse to this release: raw tables, then all that dbt builds. Returns whether there was work to do.

    Each step is a transaction, and each can be done again: after a failure or a kill, the next call goes through all of
    them. Readers find the older marts until the new ones take their places, one after the other.

    Raises:
        WarehouseError: A newer release has filled the warehouse, another migration is going on, marts have months
            that raw tables have not, a view of somebody else is in the way, or a step failed.
    """
    with connect(server, "transformer", autocommit=True) as connection, connect(server, "transformer") as turn:
        if not _is_older(connection, say):
            return False
        _take_turn(turn)
        say(f"an older release has filled this warehouse; this one builds revision {REVISION}")
        if not forget and (months := list(_months_of_marts_alone(connection))):
            raise WarehouseError(
                "Nothing was changed: every table is built anew from raw rows, and these months are in marts and no "
                f"longer in raw_data: {', '.join(months)}. Copy what you want to keep, then add --forget-months. "
                "Months that were archived come back by `warehouse retain --restore`."
            )
        if not dbt(*_PLAN):
            raise WarehouseError("Nothing was changed: dbt cannot plan the upgrade, and says above why.")
        with connect(server, "loader") as raw:
            for line in _name_last_loads(raw, dry_run=dry_run):
                say(line)
        if dry_run:
            say("then every table is built anew from raw rows: dbt build --full-refresh")
            return True
        say("building every table anew from raw rows; readers find the older ones meanwhile")
        variables = f"migrating: {REVISION}"
        if not dbt(*_BUILD, f"{{{variables}, forget_archived_months: true}}" if forget else variables):
            raise WarehouseError(
                "dbt did not come to the end of its build, and says above why. Raw rows are all there, and marts that "
                "were not reached are as they were; mend the cause and run `warehouse migrate` again."
            )
        _mark(connection)
    return True


def _take_turn(connection: psycopg.Connection) -> None:
    """Let no other migration begin until the transaction ends; a reader could hold an advisory lock, and not this."""
    connection.execute("set local idle_in_transaction_session_timeout = 0; set local lock_timeout = '1s'")
    try:
        connection.execute(sql.SQL("create table {} ()").format(_TURN))
    except errors.LockNotAvailable:
        raise WarehouseError("Another `warehouse migrate` is at work on this warehouse; let it end.") from None
    connection.execute(sql.SQL("drop table {}").format(_TURN))


def _is_older(connection: psycopg.Connection, say: Callable[[str], None]) -> bool:
    """Whether there is something that an older release has built."""
    try:
        row = connection.execute(sql.SQL("select revision from {}").format(_MARK)).fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        row = None
    revision = 0 if row is None else int(row[0])
    if revision > REVISION:
        raise WarehouseError(
            f"A newer release has filled this warehouse (revision {revision}, and this one builds {REVISION}); "
            "nothing was changed. Use that release."
        )
    if revision == REVISION:
        say(f"nothing to do: the warehouse is of this release (revision {REVISION})")
        return False
    if connection.execute(_IS_BUILT).fetchone() == (False,):
        say("nothing to do: nothing was built in this warehouse yet")
        return False
    return True


def _months_of_marts_alone(connection: psycopg.Connection) -> Iterator[str]:
    """The months of marts whose raw months are gone, as `bitcoin in fct_transactions_p2024_01`."""
    for mart, table in _CUT.items():
        raw: dict[str, set[str] | None] = {}
        for (month,) in connection.execute(_MONTHS, (f"analytics.{mart}",)).fetchall():
            query = sql.SQL("select distinct chain from {} order by 1").format(sql.Identifier("analytics", month))
            for (chain,) in connection.execute(query).fetchall():
                if chain not in raw:
                    raw[chain] = _months_of(connection, f"{RAW}.{chain.replace('-', '_')}_{table}")
                there = raw[chain]
                if there is not None and _month_in(month) not in there:
                    yield f"{chain} in {month}"


def _months_of(connection: psycopg.Connection, name: str) -> set[str] | None:
    """The months of a raw table, such as `2024_01`; None for a table that is not cut and so loses none."""
    kind = connection.execute("select relkind = 'p' from pg_class where oid = to_regclass(%s)", (name,)).fetchone()
    if kind == (False,):
        return None
    return {_month_in(month) for (month,) in connection.execute(_MONTHS, (name,))}


def _month_in(partition: str) -> str:
    """The month in the name of a partition, which is a month's, such as `fct_blocks_p2024_01`, or a day's."""
    found = re.search(r"_p(\d{4,}_\d\d)(?:_\d\d)?$", partition)
    return found[1] if found else ""


def _mark(connection: psycopg.Connection) -> None:
    # The build has made the table, for one row.
    statement = sql.SQL(
        "insert into {} (revision) values (%s)"
        " on conflict ((true)) do update set revision = excluded.revision, marked_at = now()"
    )
    connection.execute(statement.format(_MARK), (REVISION,))


def _name_last_loads(connection: psycopg.Connection, *, dry_run: bool) -> Iterator[str]:
    """Let all rows of a unit name its last load, as the loader does where a unit is loaded again.

    Older loaders left the rows alone that a file brought again as they were, and counted the others only; the check of
    rows against the ledger stops a build for it. Raw rows keep all their values but `_load_id`.
    """
    ledger = sql.Identifier(RAW, "load_ledger")
    if connection.execute("select to_regclass('raw_data.load_ledger')").fetchone() == (None,):
        return
    connection.execute("set local lock_timeout = '60s'")
    for (name,) in connection.execute(_KEYED, {"schema": RAW}).fetchall():
        table = sql.Identifier(RAW, name)
        query = sql.SQL(_LEFT_ALONE).format(ledger=ledger, table=table, name=sql.Literal(name))
        for unit, load_id, rows in connection.execute(query).fetchall():
            yield f"raw_data.{name}: {rows} rows of {unit} name its last load, {load_id}, as the loader does now"
            if dry_run:
                continue
            connection.execute(
                sql.SQL("update {} set _load_id = %s where _unit = %s and _load_id < %s").format(table),
                (load_id, unit, load_id),
            )
            connection.execute(
                sql.SQL(
                    "update {} set rows_loaded = rows_loaded + %s, rows_deleted = rows_deleted + %s where load_id = %s"
                ).format(ledger),
                (rows, rows, load_id),
            )
