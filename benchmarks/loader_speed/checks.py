"""Whether a table holds what the files hold, row by row, so that a fast wrong loader cannot win."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from psycopg import sql
from tiles import LAST_SECOND, ROWS_PER_BLOCK, TILED, read_sample

from loader_speed.errors import WrongLoadError
from loader_speed.server import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection

    from loader_speed.data import Dump

_DAY = sql.SQL("(time::timestamptz at time zone 'UTC')::date = {}")
_FIRST_LINE = 2


@dataclass(frozen=True)
class Table:
    """The table to check, by a session in UTC."""

    connection: Connection[Any]
    name: str
    lineage: bool = True  # whether `_line`, `_unit`, `_channel` and `_dump_day` must be there

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(SCHEMA, self.name)

    def columns(self) -> dict[str, str]:
        """SQL types by column."""
        query = (
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
        )
        return dict(self.connection.execute(query, [f"{SCHEMA}.{self.name}"]).fetchall())

    def all(self, query: str, **parts: sql.Composable | object) -> list[tuple[Any, ...]]:
        """Ask; `{table}` stands for the table, other names for the given parts, values quoted."""
        filled = {k: v if isinstance(v, sql.Composable) else sql.Literal(v) for k, v in parts.items()}
        text = sql.SQL(query).format(table=self.identifier, **filled)
        return self.connection.execute(text).fetchall()


def check(table: Table, dumps: list[Dump], sample: Path) -> None:
    """Compare a table with the days, tiled from a sample, that it must hold, and no other rows.

    Raises:
        WrongLoadError: They differ; the text says in what.
    """
    found = table.all("select count(*) from {table}")[0][0]
    expected = sum(dump.tiling.rows for dump in dumps)
    if found != expected:
        raise WrongLoadError(f"{table.name} has {found:,} rows, the files have {expected:,}.")
    for dump in dumps:
        _check_own_values(table, dump)
    _check_sample_values(table, dumps, sample)


def _check_own_values(table: Table, dump: Dump) -> None:
    """Height, hash and time follow from the row's number, which its line gives."""
    tiling = dump.tiling
    day = _DAY.format(sql.Literal(tiling.day))
    if not table.lineage:
        count, heights, hashes = table.all(
            "select count(*), sum(block_id), count(distinct hash) from {table} where {day}", day=day
        )[0]
        expected = sum(tiling.first_height + number // ROWS_PER_BLOCK for number in range(tiling.rows))
        if (count, heights, hashes) != (tiling.rows, expected, tiling.rows):
            raise WrongLoadError(f"{table.name}, {tiling.day}: {count:,} rows, heights or hashes are not the file's.")
        return
    first, last, distinct, right = table.all(
        """
        select
            min(_line), max(_line), count(distinct _line),
            count(*) filter (
                where
                    hash = encode(sha256(convert_to({seed} || number, 'UTF8')), 'hex')
                    and block_id = {height} + number / {per_block}
                    and time::timestamptz = {start}::timestamptz + number * {seconds} / {rows} * interval '1 second'
                    and _unit = {slice} and _channel = 'dumps' and _dump_day::date = {on}
            )
        from (select *, (_line - {first})::bigint as number from {table} where {day}) as numbered
        """,
        day=day,
        seed=tiling.seed,
        height=tiling.first_height,
        per_block=ROWS_PER_BLOCK,
        start=f"{tiling.day} 00:00:00+00",
        seconds=LAST_SECOND,
        rows=tiling.rows,
        slice=dump.slice,
        on=tiling.day,
        first=_FIRST_LINE,
    )[0]
    if (first, last, distinct) != (_FIRST_LINE, tiling.rows + 1, tiling.rows):
        raise WrongLoadError(
            f"{table.name}, {tiling.day}: _line runs from {first} to {last} with {distinct} values, but the rows stand "
            f"on lines 2 to {tiling.rows + 1} of the file."
        )
    if right != tiling.rows:
        raise WrongLoadError(
            f"{table.name}, {tiling.day}: {tiling.rows - right:,} rows have not the hash, height, time or lineage of "
            "their line."
        )


def _check_sample_values(table: Table, dumps: list[Dump], sample: Path) -> None:
    """Every other column is the sample row's."""
    names, rows = read_sample(sample)
    kept = [name for name in names if name not in TILED]
    places = [names.index(name) for name in kept]
    expected: Counter[tuple[str, ...]] = Counter()
    for dump in dumps:
        whole, rest = divmod(dump.tiling.rows, len(rows))
        for number, row in enumerate(islice(cycle(rows), len(rows))):
            expected[tuple(_canonical(row[place]) for place in places)] += whole + (number < rest)
    listed = sql.SQL(", ").join(map(sql.Identifier, kept))
    groups = table.all("select {listed}, count(*) from {table} group by {listed}", listed=listed)
    found = Counter({tuple(_canonical(value) for value in values): count for *values, count in groups})
    if found != +expected:
        wrong = sum((found - expected).values())
        raise WrongLoadError(f"{table.name}: {wrong:,} rows have values that are in no row of the sample.")


def _canonical(value: object) -> str:
    """Write a value so that the file's text and PostgreSQL's value compare: 0.50 is 0.5, true is 1."""
    if isinstance(value, bool):
        return str(int(value))
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return str(value)
    return f"{number.normalize():f}" if number.is_finite() else str(value)


def check_ledger(table: Table, dumps: list[Dump], *, checksums: bool = False) -> None:
    """Compare the load ledger, and each row's load id, with the files; `checksums`: whether it must have noted them.

    Raises:
        WrongLoadError: There is no ledger, a slice's last entry is not its file's, or checksums are there, or lack.
    """
    ledger = Table(table.connection, "load_ledger")
    if not ledger.columns():
        raise WrongLoadError("There is no load ledger.")
    last = {
        name: (load_id, rows, digest)
        for name, load_id, rows, digest in ledger.all(
            "select distinct on (unit) unit, load_id, rows_loaded, sha256 from {table} where table_name = {name}"
            " order by unit, load_id desc",
            name=table.name,
        )
    }
    ids = dict(table.all("select _unit, string_agg(distinct _load_id::text, ' ') from {table} group by _unit"))
    for dump in dumps:
        load_id, rows, digest = last.get(dump.slice, (None, None, None))
        if (rows, digest) != (dump.tiling.rows, dump.sha256) or ids.get(dump.slice) != str(load_id):
            raise WrongLoadError(
                f"The ledger has for {dump.slice}: load {load_id}, {rows} rows, sha256 {digest}; the file has "
                f"{dump.tiling.rows} rows, sha256 {dump.sha256}, and the rows name load {ids.get(dump.slice)}."
            )
    if ledger.all("select from {table} where (checksums is not null) <> {wanted}", wanted=checksums):
        raise WrongLoadError(f"The ledger has {'no ' if checksums else ''}checksums of some loads.")


def check_indexes(table: Table) -> None:
    """See that every month's table is attached, with the two valid indexes that the yardstick has.

    Raises:
        WrongLoadError: There is no partition, or an index is missing.
    """
    months = table.all(
        """
        select
            child.relname,
            array_agg(am.amname || ' ' || a.attname order by am.amname)
                filter (where i.indisvalid)
        from pg_inherits
        inner join pg_class as child on child.oid = inhrelid
        left join pg_index as i on i.indrelid = child.oid
        left join pg_class as c on c.oid = i.indexrelid
        left join pg_am as am on am.oid = c.relam
        left join pg_attribute as a on a.attrelid = i.indexrelid
        where inhparent = {name}::regclass
        group by child.relname
        """,
        name=f"{SCHEMA}.{table.name}",
    )
    wrong = [name for name, indexes in months if indexes != ["brin time", "btree block_id"]]
    if wrong or not months:
        raise WrongLoadError(f"{table.name}: not every month's table has just the yardstick's indexes: {months}.")
