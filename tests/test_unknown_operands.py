"""Values that a check needs, each set to null in turn: the check never says that the block is verified.

Every null is in a block of its own, so that one build of the checks shows what all of them do.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from check_operands import CHAINS, OPERANDS, PLACES, ROWS
from checkout import Checkout
from test_mutations import HEIGHTS, UTXO, WHERE_SPENT, failures, loaded
from worlds import check_everything

# The module's warehouse is filled as the one in which cells are changed.
__all__ = ["loaded"]


@dataclass
class Cell:
    """One cell that becomes null."""

    chain: str
    table: str
    column: str
    checks: set[str]
    # height and day in which the outcome has to show
    height: int = 0
    day: object = None
    # the row, and all blocks that it concerns
    row: tuple[int, str] = (0, "")
    concerned: set[int] = field(default_factory=set)


def never_null(checkout: Checkout) -> set[tuple[str, str, str]]:
    """Chain, table and column where the database takes no null: NOT NULL, or what partitions are cut by."""
    return {
        (str(name).split("_")[0], str(name).split("_", 1)[1], str(column))
        for name, column in checkout.sql("""
            select c.relname, a.attname
            from pg_class as c
            join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
            where c.relnamespace = 'raw_data'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and (
                    a.attnotnull
                    or exists (select 1 from pg_inherits where inhparent = c.oid)
                    and not exists (
                        select 1 from pg_inherits
                        where inhparent = c.oid and pg_get_partition_constraintdef(inhrelid)
                            not like '%%(' || quote_ident(a.attname) || ' IS NOT NULL)%%'
                    )
                )
        """)
    }


def outcomes(checkout: Checkout) -> dict[tuple[str, str, object], list[tuple[str, str | None]]]:
    """What each check says of a block, or where it is of no block, of a table's day."""
    found = defaultdict(list)
    query = "select check_name, chain, block_height, block_date, result, reason from intermediate.int_checks_unioned"
    for name, chain, height, day, result, reason in checkout.sql(query):
        found[str(name), str(chain), day if height is None else height].append((str(result), reason))
    return found  # type: ignore[return-value]


def wanted(checkout: Checkout) -> Iterator[tuple[Cell, str, str]]:
    """The cells, without their rows; which rows, and where the outcome has to show."""
    known = never_null(checkout)
    checks: dict[tuple[str, str, str, str, str], set[str]] = defaultdict(set)
    for operands in OPERANDS:
        for chain in operands.chains:
            coinbase = "is_coinbase" if chain in UTXO else "gas_used is null"
            rows = operands.rows or ROWS[operands.table].format(coinbase=coinbase)
            for column in operands.columns.split():
                if (chain, operands.table, column) not in known:
                    checks[chain, operands.table, column, rows, operands.shown].add(operands.check)
    for (chain, table, column, rows, shown), names in checks.items():
        yield Cell(chain, table, column, names), rows.format(chain=chain), shown


def rows_for(
    connection: "psycopg.Connection[tuple[object, ...]]", cell: Cell, rows: str, shown: str
) -> list[tuple[int, str, int, int, object]]:
    """Rows that have the cell: where they lie, their block, the one in which the outcome shows, and their day."""
    own = HEIGHTS[cell.table]
    where = WHERE_SPENT.format(chain=cell.chain) if shown == "spent" else own
    time = "spending_time" if cell.table == "inputs" else "time"
    query = f"""
        select distinct on (3, 4) tableoid::bigint, ctid::text, {own}, {where}, ({time} at time zone 'UTC')::date
        from raw_data.{cell.chain}_{cell.table} as t
        where "{cell.column}" is not null and {rows}
            and {own} > (select min(id) + 20 from raw_data.{cell.chain}_blocks)
        order by 3, 4, 2
    """  # noqa: S608
    found = connection.execute(query.encode()).fetchall()
    return [(int(str(part)), str(place), int(str(at)), int(str(there)), day) for part, place, at, there, day in found]


def choose(checkout: Checkout) -> list[Cell]:
    """A row for each cell, of a block that no other concerns and of which the checks said that it is verified."""
    verified = {key for key, said in outcomes(checkout).items() if {result for result, _ in said} == {"verified"}}
    taken: dict[str, set[int]] = {chain: set() for chain in CHAINS}
    cells = []
    # first those that have few rows to choose from, or need many blocks
    order = sorted(wanted(checkout), key=lambda one: (one[1] == "true", one[0].column != "time"))
    with psycopg.connect(checkout.url("transformer")) as connection:
        for cell, rows, shown in order:
            for part, place, at, there, day in rows_for(connection, cell, rows, shown):
                affected = 1 if cell.table != "blocks" else 11 if cell.column == "time" else 2  # a median is of eleven
                concerned = {there, *range(at, at + affected)}
                height = there + (shown == "above")
                subject = day if shown == "day" else height
                if concerned & taken[cell.chain] or any(
                    (name, cell.chain, subject) not in verified for name in cell.checks
                ):
                    continue
                cell.row, cell.height, cell.day, cell.concerned = (part, place), height, None, concerned
                if shown == "day":
                    cell.day = day
                taken[cell.chain] |= concerned
                break
            else:
                pytest.fail(f"no row to try {cell} on")
            cells.append(cell)
    return cells


def test_no_check_verifies_what_it_does_not_know(loaded: Checkout) -> None:
    cells = choose(loaded)
    with psycopg.connect(loaded.url("loader")) as connection:
        for cell in cells:
            query = f"""
                update raw_data.{cell.chain}_{cell.table} set "{cell.column}" = null
                where tableoid = %s and ctid = %s::tid
            """  # noqa: S608
            assert connection.execute(query.encode(), cell.row).rowcount == 1
    check_everything(loaded)
    after = outcomes(loaded)
    wrong = []
    for cell in cells:
        expected = {"unverifiable", "failed"} if (cell.table, cell.column) in PLACES else {"unverifiable"}
        for name in sorted(cell.checks):
            said = after.get((name, cell.chain, cell.day or cell.height), [])
            if cell.day:
                said = [one for one in said if str(one[1]).startswith(f"{cell.chain}_{cell.table}: ")]
            if not said or not {result for result, _ in said} <= expected or not all(reason for _, reason in said):
                wrong.append(f"{name} of {cell.chain}_{cell.table}.{cell.column}: {said or 'no outcome'}")
    assert not wrong, "\n".join(wrong)
    # what is not known is no failure, of this check or of another
    displaced = {
        (cell.chain, height) for cell in cells if (cell.table, cell.column) in PLACES for height in cell.concerned
    }
    failed = [one for one in failures(loaded) if one[1] is not None and (one[0], one[1]) not in displaced]
    assert not failed, "\n".join(map(str, failed))
