"""Brings a month back whose raw rows are only in the archive: by the tap and the loader, from the files themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from warehouse.archive import NOTED, Noted, noted
from warehouse.errors import WarehouseError
from warehouse.rights import RAW
from warehouse.server import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import psycopg

    from warehouse.archive import Archive
    from warehouse.server import Server

_SHOWN = 5
_RETURNING = "update {} set state = 'returning' where chain = %s and month = %s and state <> 'returning'"
_FORGET = "delete from {} where chain = %s and month = %s"
_LOADED = r"""
select distinct on (unit) cast(right(unit, 10) as date), sha256
from raw_data.load_ledger
where table_name = %s and unit ~ '/\d{4}-\d\d-\d\d$' and cast(right(unit, 10) as date) = any(%s)
order by unit, load_id desc
"""
# As the loader notes that readers see a month which they did not see before, so that marts take its days in.
_VISIBLE = """
insert into raw_data.load_ledger (table_name, run_id, rows_loaded, rows_deleted, first_day, last_day)
values (%s, 'warehouse retain', 0, 0, %s, %s)
"""


@dataclass(frozen=True)
class Loading:
    """How Meltano runs the tap and the loader, for a project and an environment."""

    root: Path
    environment: str

    def __call__(self, folder: Path, chain: str, month: date, tables: Iterable[str]) -> bool:
        """Load the dump files in a folder; returns whether all were loaded."""
        words = [str(Path(sys.executable).with_name("meltano")), "--environment", self.environment, "run"]
        words += ["--no-install", "--full-refresh", "--force", "--state-id-suffix=archive"]
        words += ["tap-blockchair", "target-postgres"]
        asked = {
            "TAP_BLOCKCHAIR_DUMPS_URL": folder.as_uri(),
            "TAP_BLOCKCHAIR_CHANNEL": "dumps",
            # Files carry no mark of their origin, so the tap takes no folder for simulated ones. The ledger knows these
            # by their sha256, and the loader goes on to compare its own setting with the warehouse's mark.
            "TAP_BLOCKCHAIR_DATA_ORIGIN": "live",
            "TAP_BLOCKCHAIR_CHAINS": json.dumps([chain]),
            "TAP_BLOCKCHAIR_START_DATE": month.isoformat(),
            "TAP_BLOCKCHAIR_END_DATE": _last_day(month).isoformat(),
            "TAP_BLOCKCHAIR_STRICT_DAYS": "false",
            "TAP_BLOCKCHAIR__SELECT": json.dumps([f"{table}.*" for table in tables]),
        }
        done = subprocess.run(words, cwd=self.root, env={**os.environ, **asked}, check=False, stdin=subprocess.DEVNULL)
        return done.returncode == 0


@dataclass(frozen=True)
class Source:
    """The archive, and what loads a folder of its files: given the chain, the month's first day and the tables."""

    archive: Archive
    load: Callable[[Path, str, date, Iterable[str]], bool]


def bring_back(
    server: Server, source: Source, month: date, chains: Collection[str], say: Callable[[str], None]
) -> None:
    """Load a month's rows from the archive, of the chains given or of all that lack it.

    Every file is compared with its sha256 before anything is loaded. Until all rows are back, marts keep what they have
    of the month; the next build takes its days in. After a failure or a kill, the same call goes on.

    Raises:
        WarehouseError: The month is not archived, a file is not there as it was, or not all rows came.
    """
    with connect(server, "transformer") as connection:
        everything = noted(connection)
    wanted = [one for one in everything if one.month == month and (not chains or one.chain in chains)]
    if not wanted:
        known = ", ".join(dict.fromkeys(f"{one.chain} {one.month:%Y-%m}" for one in everything))
        raise WarehouseError(f"{month:%Y-%m} is not archived; archived are: {known or 'none'}.")
    faults = [fault for one in wanted for file in one.files if (fault := source.archive.fault(file))]
    if faults:
        raise WarehouseError(
            f"Nothing was loaded, since {len(faults)} files are not in the archive as they were loaded: "
            f"{'; '.join(faults[:_SHOWN])}."
        )
    for chain in dict.fromkeys(one.chain for one in wanted):
        tables = [one for one in wanted if one.chain == chain]
        _bring_back_chain(server, source, tables)
        rows = sum(one.rows for one in tables)
        say(f"{chain} {month:%Y-%m}: {rows:,} rows are back; the next build takes its days in")


def _bring_back_chain(server: Server, source: Source, tables: list[Noted]) -> None:
    chain, month = tables[0].chain, tables[0].month
    dropped = [one for one in tables if one.files]
    with connect(server, "loader") as connection:
        connection.execute(sql.SQL(_RETURNING).format(NOTED), (chain, month))
    with tempfile.TemporaryDirectory(prefix="crypto-elt-archive-") as name:
        folder = Path(name)
        for file in (file for one in dropped for file in one.files):
            path = source.archive.find(file)
            if path is not None:  # it was, a moment ago; a file that has gone since is missing below
                (folder / file.published).symlink_to(path.resolve())
        is_loaded = source.load(folder, chain, month, [one.table for one in dropped])
    with connect(server, "loader") as connection:
        missing = [fault for one in dropped if (fault := _missing(connection, one))]
        if missing or not is_loaded:
            raise WarehouseError(
                f"{chain} {month:%Y-%m} is not all back: "
                f"{'; '.join(missing) or 'the load failed, and says above why'}. "
                "Marts keep what they have of it; mend the cause and run the same command again."
            )
        connection.execute(sql.SQL(_FORGET).format(NOTED), (chain, month))
        for one in dropped:
            connection.execute(_VISIBLE, (one.table, month, _last_day(month)))


def _missing(connection: psycopg.Connection, one: Noted) -> str | None:
    """What a table lacks of its month; None if it has all that it had."""
    days = [file.day for file in one.files]
    loaded: dict[date, str] = dict(connection.execute(_LOADED, (one.table, days)).fetchall())
    other = [str(file.day) for file in one.files if loaded.get(file.day) != file.sha256]
    if other:
        return f"{one.table} lacks {', '.join(other[:_SHOWN])}"
    place = sql.Identifier(RAW, f"{one.table}_p{one.month:%Y_%m}")
    if connection.execute("select to_regclass(%s)", (place.as_string(connection),)).fetchone() == (None,):
        return f"{one.table} has no row of it"
    found = connection.execute(sql.SQL("select count(*) from {}").format(place)).fetchone()
    rows = int(found[0]) if found else 0
    return None if rows == one.rows else f"{one.table} has {rows} rows of {one.rows}"


def _last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
