"""What is mirrored so far, in one SQLite file: blocks, days, and where needed unspent outputs.

A commit is one transaction, so after a kill the file tells a state in which all three agree; what stands behind it in
the days' files is cut off (`day_files.py`).
"""

from __future__ import annotations

import sqlite3
from array import array
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from mirror_node.errors import MirrorError
from mirror_node.tables import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from mirror_node.tables import BlockRows

_CACHE_KIB = 512 * 1024
_PARAMETERS = 500  # of one statement; SQLite of old had at most 999
_SCHEMA = """
create table if not exists about (name text primary key, value text not null) without rowid;
create table if not exists blocks (
    height integer primary key, hash blob not null, time integer not null, median_time integer not null,
    day integer not null, ends text not null
);
create index if not exists blocks_day on blocks (day, height);
create table if not exists days (day integer primary key, is_published integer not null);
create table if not exists coins (
    outpoint blob primary key, height integer not null, is_generated integer not null, value integer not null,
    script blob not null
) without rowid;
create table if not exists undo (height integer not null, outpoint blob not null, coin blob);
create index if not exists undo_height on undo (height);
"""


class Coin(NamedTuple):
    """An unspent output: its block, whether a coinbase made it, base units, script."""

    height: int
    is_generated: bool
    value: int
    script: bytes


@dataclass(frozen=True)
class Mirrored:
    """A block of the mirror; `ends` are the lengths of its day's files behind it, by table."""

    height: int
    hash: str
    median_time: int
    day: date
    ends: Mapping[str, int]


class Store:
    """The file of one chain's mirror."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sql = sqlite3.connect(path, isolation_level=None)
            self._sql.execute("pragma journal_mode = wal")
            self._sql.execute("pragma synchronous = normal")
            self._sql.execute(f"pragma cache_size = -{_CACHE_KIB}")
            self._sql.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MirrorError(f"{path} cannot be opened ({error}). Check state_dir and its owner.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sql.close()

    # What it is a mirror of.

    def about(self, name: str) -> str | None:
        """Read a fact."""
        row = self._sql.execute("select value from about where name = ?", [name]).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Write a fact, at once."""
        self._sql.execute("insert or replace into about values (?, ?)", [name, value])

    # Blocks.

    def last(self) -> Mirrored | None:
        """Give the last block."""
        return self._block("order by height desc limit 1", [])

    def block(self, height: int) -> Mirrored | None:
        """Give a block."""
        return self._block("where height = ?", [height])

    def last_of(self, day: date) -> Mirrored | None:
        """Give a day's last block."""
        return self._block("where day = ? order by height desc limit 1", [day.toordinal()])

    def _block(self, which: str, parameters: list[int]) -> Mirrored | None:
        columns = "select height, hash, median_time, day, ends from blocks "
        row = self._sql.execute(columns + which, parameters).fetchone()
        if row is None:
            return None
        ends = msgspec.json.decode(row[4], type=dict[str, int])
        return Mirrored(row[0], row[1].hex(), row[2], date.fromordinal(row[3]), ends)

    def times(self) -> array[int]:
        """Give the times of all blocks by height, where the mirror begins with the first one."""
        return array("I", (row[0] for row in self._sql.execute("select time from blocks order by height")))

    # Days.

    def days(self, *, published: bool) -> list[date]:
        """Give the days that are published, or are not yet, in order."""
        rows = self._sql.execute("select day from days where is_published = ? order by day", [published])
        return [date.fromordinal(day) for (day,) in rows]

    def mark_published(self, day: date) -> None:
        """Note that a day's files are in place."""
        self._sql.execute("update days set is_published = 1 where day = ?", [day.toordinal()])

    # Commits.

    def coins(self, outpoints: Iterable[bytes]) -> dict[bytes, Coin]:
        """Look up unspent outputs; those that are not there are left out."""
        wanted, found = list(outpoints), {}
        for start in range(0, len(wanted), _PARAMETERS):
            some = wanted[start : start + _PARAMETERS]
            marks = ",".join("?" * len(some))
            query = f"select outpoint, height, is_generated, value, script from coins where outpoint in ({marks})"  # noqa: S608 (marks)
            for outpoint, height, is_generated, value, script in self._sql.execute(query, some):
                found[outpoint] = Coin(height, bool(is_generated), value, script)
        return found

    def commit(self, blocks: list[tuple[BlockRows, Mapping[str, int]]], coins: CoinChanges, undo_from: int) -> None:
        """Write what a run has added, all or nothing.

        Args:
            blocks: Rows of blocks, with the lengths of their day's files behind them; of days that are not written
                without lengths.
            coins: What the blocks made and spent.
            undo_from: From this height on spent outputs are kept, so that a reorganisation can be followed.
        """
        with closing(self._sql.cursor()) as sql:
            sql.execute("begin immediate")
            try:
                sql.executemany(
                    "insert into blocks values (?, ?, ?, ?, ?, ?)",
                    [
                        (
                            rows.height,
                            bytes.fromhex(rows.hash),
                            rows.time,
                            rows.median_time,
                            rows.day.toordinal(),
                            msgspec.json.encode(ends).decode(),
                        )
                        for rows, ends in blocks
                    ],
                )
                days = {day_of(rows.time).toordinal() for rows, ends in blocks if ends}
                sql.executemany("insert or ignore into days values (?, 0)", [(day,) for day in days])
                sql.executemany("delete from coins where outpoint = ?", [(each,) for each in sorted(coins.spent)])
                sql.executemany(
                    "insert or replace into coins values (?, ?, ?, ?, ?)",
                    [(outpoint, *coin) for outpoint, coin in sorted(coins.made.items())],
                )
                sql.executemany("insert into undo values (?, ?, ?)", coins.undo)
                sql.execute("delete from undo where height < ?", [undo_from])
                sql.execute("insert or replace into about values ('undo_from', ?)", [str(undo_from)])
                sql.execute("commit")
            except BaseException:
                sql.execute("rollback")
                raise

    def rewind(self, height: int, *, has_coins: bool) -> list[date]:
        """Forget all blocks above a height; returns the days that they were in, which are not published any more.

        Raises:
            MirrorError: What they spent is not kept so far back.
        """
        with closing(self._sql.cursor()) as sql:
            sql.execute("begin immediate")
            written = "select distinct day from blocks where height > ? and ends <> '{}'"
            lost = [row[0] for row in sql.execute(written, [height])]
            if has_coins:
                first = int(self.about("undo_from") or 0)
                if height + 1 < first:
                    sql.execute("rollback")
                    raise MirrorError(
                        f"the node's chain differs from the mirror from block {height + 1} on, but what blocks spent "
                        f"is kept from {first} on only. Published files are kept. Delete the chain's folder in "
                        "state_dir and run again: the mirror then begins anew."
                    )
                self._undo(sql, height)
            sql.execute("delete from blocks where height > ?", [height])
            sql.executemany("insert or replace into days values (?, 0)", [(day,) for day in lost])
            sql.execute("commit")
        return [date.fromordinal(day) for day in sorted(lost)]

    @staticmethod
    def _undo(sql: sqlite3.Cursor, height: int) -> None:
        """Bring back what blocks above a height spent, and take away what they made (both are in `undo`)."""
        changes = sql.execute(
            "select outpoint, coin from undo where height > ? order by rowid desc", [height]
        ).fetchall()
        for outpoint, coin in changes:
            if coin is None:
                sql.execute("delete from coins where outpoint = ?", [outpoint])
            else:
                found = msgspec.msgpack.decode(coin, type=Coin)
                sql.execute("insert or replace into coins values (?, ?, ?, ?, ?)", [outpoint, *found])
        sql.execute("delete from undo where height > ?", [height])


class CoinChanges:
    """What blocks since the last commit made and spent.

    Attributes:
        made: Unspent outputs that are not in the store yet.
        spent: Those of the store that are spent.
        undo: Height, outpoint, and the spent output as MessagePack, or None for one that was made.
    """

    def __init__(self) -> None:
        self.made: dict[bytes, Coin] = {}
        self.spent: set[bytes] = set()
        self.undo: list[tuple[int, bytes, bytes | None]] = []
