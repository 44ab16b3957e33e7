"""What speaks against dropping a month of a chain's raw rows: each condition, with the days that break it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from psycopg import sql

from warehouse.archive import File
from warehouse.errors import WarehouseError
from warehouse.rights import COMPARED, RAW

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import psycopg

    from warehouse.archive import Archive

BLOCKS = "blocks"
DROPPED = ("transactions", "outputs", "inputs", "calls", "erc20_transactions")
"""The tables with a row for each thing in a block; all other tables stay whole."""

_SHOWN = 5  # days or files of a reason, the others are counted
# Raw tables of a chain: whether they are cut by month, by which column, and their months, attached or not.
_TABLES = """
select c.relname::text, a.attname::text
from pg_class c
left join pg_partitioned_table p on p.partrelid = c.oid
left join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
where c.relnamespace = 'raw_data'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
order by 1
"""
_MONTHS = """
select to_date(right(c.relname, 7), 'YYYY_MM'), c.relispartition
from pg_class c
where c.relnamespace = 'raw_data'::regnamespace and c.relkind = 'r' and c.relname ~ ('^' || %s || '_p\\d{4}_\\d\\d$')
order by 1
"""
_NEWEST = "select max(last_day) from raw_data.load_ledger where table_name = %s and rows_loaded > 0"
# The last load of each day that a file brought whole.
_FILES = r"""
select distinct on (unit) load_id, cast(right(unit, 10) as date), file, sha256, rows_loaded
from raw_data.load_ledger
where table_name = %(table)s and unit ~ '/\d{4}-\d\d-\d\d$'
    and cast(right(unit, 10) as date) between %(first)s and %(last)s
order by unit, load_id desc
"""
_COUNTS = """
select {load_id}, cast({by} at time zone 'UTC' as date), count(*) from {partition} group by 1, 2 order by 2, 1
"""
_DAYS = """
select
    s.block_date, s.day_status, s.is_final,
    coalesce(array_agg(r.check_name order by r.check_name) filter (where r.check_name is not null), '{}')
from analytics.rpt_day_status s
left join analytics.fct_dq_results r
    on r.chain = s.chain and r.block_date = s.block_date and r.failed_count + r.unverifiable_count > 0
where s.chain = %(chain)s and s.block_date between %(first)s and %(last)s
group by 1, 2, 3 order by 1
"""
_UNTRACKED = """
select count(*) from raw_data.load_ledger l
where l.table_name = any(%(tables)s)
    and coalesce(l.first_day, '-infinity') <= %(last)s and coalesce(l.last_day, 'infinity') >= %(first)s
    and not exists (select from intermediate.int_loads_tracked t where t.load_id = l.load_id)
"""
# Models that take their days from the log of changes; the others of the table of watermarks are logs themselves.
_BEHIND = """
select w.model_name from intermediate.model_watermarks w
where w.model_name !~ '^stg_' and w.model_name not in ('int_loads_tracked', 'int_price_changes', 'int_chain_days')
    and w.change_id < (
        select max(change_id) from intermediate.int_changed_days
        where (chain = %(chain)s or chain is null) and (block_date between %(first)s and %(last)s or block_date is null)
    )
order by 1
"""
_BUILT = ("analytics.rpt_day_status", "intermediate.int_changed_days", "intermediate.model_watermarks")


@dataclass(frozen=True)
class Policy:
    """What may be dropped.

    Attributes:
        months: So many of a chain's months stay, counted from that of its newest day.
        archive: Where the dump files are.
        chains: Only these; all if empty.
        accepted: Checks that may be unverifiable; a check that failed never counts as accepted.
    """

    months: int
    archive: Archive
    chains: Collection[str] = ()
    accepted: Collection[str] = ()


@dataclass
class TableMonth:
    """A table's month.

    Attributes:
        name: The table, such as `bitcoin_outputs`.
        partition: The month's own table.
        by: The column by which the table is cut.
        bytes: On disk, indexes included.
        rows: By load and UTC day: how many; a load is None where rows name none.
        files: That hold its rows, by day.
        reasons: Why rows of it are not in files.
    """

    name: str
    partition: str
    by: str
    bytes: int = 0
    counts: dict[tuple[int | None, date], int] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of all days."""
        return sum(self.counts.values())

    def read(self, connection: psycopg.Connection) -> None:
        """Count the rows, and find the files that brought them."""
        place = sql.Identifier(RAW, self.partition)
        has_load = connection.execute(
            "select exists (select from pg_attribute where attrelid = %s::regclass and attname = '_load_id')",
            (place.as_string(connection),),
        ).fetchone()
        load_id = sql.SQL("_load_id" if has_load == (True,) else "cast(null as bigint)")
        query = sql.SQL(_COUNTS).format(load_id=load_id, by=sql.Identifier(self.by), partition=place)
        self.counts = {(load, day): count for load, day, count in connection.execute(query)}
        size = connection.execute("select pg_total_relation_size(%s::regclass)", (place.as_string(connection),))
        self.bytes = int((size.fetchone() or (0,))[0])
        if not self.counts:
            return
        days = [day for _, day in self.counts]
        bounds = {"table": self.name, "first": min(days), "last": max(days)}
        loads = _loads(connection, bounds)
        for (load, day), count in self.counts.items():
            file = loads.get(load) if load is not None else None
            if file is None or file.day != day:
                self.reasons.append(
                    f"{count} rows of {self.name} of {day} came from no dump file that the ledger knows"
                )
            elif file.rows != count:
                self.reasons.append(f"{self.name} has {count} rows of {day}, and its file brought {file.rows}")
            else:
                self.files.append(file)


@dataclass(frozen=True)
class Chain:
    """A chain whose raw tables are cut by month."""

    name: str  # by Blockchair's name
    prefix: str  # of its raw tables
    cut_by: dict[str, str | None]  # of each table with rows to drop: the column, or None for one that is not cut

    def months(self, connection: psycopg.Connection, *, older_than: int) -> list[date]:
        """The months that have rows and are older than so many of the newest ones."""
        row = connection.execute(_NEWEST, (f"{self.prefix}_{BLOCKS}",)).fetchone()
        if row is None or row[0] is None:
            return []
        newest = row[0].year * 12 + row[0].month - 1 - older_than
        found = {month for table in self.cut_by for month, _ in connection.execute(_MONTHS, (table,))}
        return sorted(month for month in found if month.year * 12 + month.month - 1 <= newest)

    def tables(self, connection: psycopg.Connection, month: date) -> list[TableMonth]:
        """The tables that have the month, with what is to be known of it."""
        found = []
        for table, by in self.cut_by.items():
            months: dict[date, bool] = dict(connection.execute(_MONTHS, (table,)).fetchall())
            attached = months.get(month)
            if attached is None or by is None:
                continue
            one = TableMonth(table, f"{table}_p{month:%Y_%m}", by)
            one.read(connection)
            if not attached:
                one.reasons.append(f"{one.partition} is detached; `meltano invoke target-postgres:months attach` first")
            found.append(one)
        return found

    def reasons(
        self, connection: psycopg.Connection, month: date, tables: list[TableMonth], policy: Policy
    ) -> Iterator[str]:
        """What speaks against dropping the month, a sentence each."""
        for name, by in self.cut_by.items():
            if by is None:
                yield f"{name} is not cut by month, so its rows cannot be dropped by month"
        bounds = {"chain": self.name, "first": month, "last": _last_day(month)}
        yield from _of_days(connection, bounds, policy.accepted)
        names = [f"{self.prefix}_{BLOCKS}", *(table.name for table in tables)]
        yield from _of_marts(connection, {**bounds, "tables": names})
        for table in tables:
            yield from _some(table.reasons)
            yield from _some([fault for file in table.files if (fault := policy.archive.fault(file))])
            if _is_compared(connection, table, month):
                yield f"{COMPARED}.{table.name} has rows of the month, which are compared with those of {RAW}"


def of_chains(connection: psycopg.Connection, wanted: Collection[str]) -> list[Chain]:
    """The chains that have raw tables, or those of the names given.

    Raises:
        WarehouseError: A name is of none, or marts were not built yet.
    """
    for name in _BUILT:
        if connection.execute("select to_regclass(%s)", (name,)).fetchone() == (None,):
            raise WarehouseError(f"{name} is not there: nothing was built yet, so no month is in the marts.")
    found: dict[str, dict[str, str | None]] = {}
    for table, by in connection.execute(_TABLES):
        if cut := re.fullmatch(rf"(.+?)_({'|'.join(reversed(DROPPED))})", table):
            found.setdefault(cut[1], {})[table] = by
    chains = [Chain(prefix.replace("_", "-"), prefix, tables) for prefix, tables in sorted(found.items())]
    if unknown := set(wanted) - {chain.name for chain in chains}:
        raise WarehouseError(
            f"No raw table is of {', '.join(sorted(unknown))}; there are: "
            f"{', '.join(chain.name for chain in chains) or 'none'}."
        )
    return [chain for chain in chains if not wanted or chain.name in wanted]


def _of_days(connection: psycopg.Connection, bounds: dict[str, object], accepted: Collection[str]) -> Iterator[str]:
    """Days that are not verified, or not settled. A check that could not be done counts unless it is accepted."""
    days = connection.execute(_DAYS, bounds).fetchall()
    if not days:
        yield "its days are not in analytics.rpt_day_status: nothing says that they were verified"
    open_days = []
    for day, status, _, checks in days:
        left = [check for check in checks if status != "unverifiable" or check not in accepted]
        if status != "verified" and (left or not checks):
            why = f" ({', '.join(left)})" if left else ""
            open_days.append(f"{day} is {status}{why}")
    yield from _some(open_days)
    yield from _some([f"{day} is not settled" for day, _, is_final, _ in days if not is_final])


def _of_marts(connection: psycopg.Connection, bounds: dict[str, object]) -> Iterator[str]:
    """Loads that the marts have not taken in."""
    loads = (connection.execute(_UNTRACKED, bounds).fetchone() or (0,))[0]
    if loads:
        yield f"{loads} loads of it are not in the marts yet: build first"
    behind = [name for (name,) in connection.execute(_BEHIND, bounds)]
    if behind:
        yield f"not in the marts yet, since a build failed or left them out: {', '.join(behind[:_SHOWN])}"


def _is_compared(connection: psycopg.Connection, table: TableMonth, month: date) -> bool:
    place = sql.Identifier(COMPARED, table.name)
    if connection.execute("select to_regclass(%s)", (place.as_string(connection),)).fetchone() == (None,):
        return False
    query = sql.SQL("select exists (select from {} where {by} >= %(month)s and {by} < %(month)s + interval '1 month')")
    found = connection.execute(query.format(place, by=sql.Identifier(table.by)), {"month": month}).fetchone()
    return found == (True,)


def _loads(connection: psycopg.Connection, bounds: dict[str, object]) -> dict[int, File]:
    """The files of the last loads of days, by load."""
    rows: list[tuple[int, date, str | None, str | None, int]] = connection.execute(_FILES.encode(), bounds).fetchall()
    return {load: File(day, file, sha256, count) for load, day, file, sha256, count in rows if file and sha256}


def _last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _some(reasons: list[str]) -> list[str]:
    """The first reasons of a kind, and how many more there are."""
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], *([f"and {more} more like it"] if more > 0 else [])]
