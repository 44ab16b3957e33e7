"""What a serving database says of its chains: which answer, and how old the rows are that it keeps of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

TABLE = "analytics.rpt_united_chains"
_MAKE = f"""
create table if not exists {TABLE} (
    chain text primary key, asset_key bigint not null, address text not null, is_reachable boolean not null,
    problem text, checked_at timestamptz not null, newest_load bigint, copied_load bigint, copied_at timestamptz
);
"""
_COMMENTS = {
    TABLE: "One row per chain that this serving database unites: whether its warehouse answered when last asked.",
    f"{TABLE}.chain": "Blockchair's name of the chain.",
    f"{TABLE}.asset_key": "Its coin, in dim_asset.",
    f"{TABLE}.address": "Where its warehouse is.",
    f"{TABLE}.is_reachable": "Whether it answered.",
    f"{TABLE}.problem": "Why not, or what differs; empty when all is well.",
    f"{TABLE}.checked_at": "When it was asked, UTC.",
    f"{TABLE}.newest_load": "The newest load that its marts know (its pipeline_run_key).",
    f"{TABLE}.copied_load": "The newest load of the rows that are kept here.",
    f"{TABLE}.copied_at": "When these were copied, UTC.",
}
_SAY = f"""
insert into {TABLE} as held
values (%(chain)s, %(asset)s, %(address)s, %(reachable)s, nullif(%(problem)s, ''), clock_timestamp(), %(newest)s,
    %(copied)s, case when %(copied)s::bigint is not null then clock_timestamp() end)
on conflict (chain) do update set
    asset_key = excluded.asset_key, address = excluded.address, is_reachable = excluded.is_reachable,
    problem = excluded.problem, checked_at = excluded.checked_at,
    newest_load = coalesce(excluded.newest_load, held.newest_load),
    copied_load = coalesce(excluded.copied_load, held.copied_load),
    copied_at = coalesce(excluded.copied_at, held.copied_at)
"""  # noqa: S608 - no foreign text
# A row that no check made: it has no day, so no sum of a day counts it.
_MISSING = f"""
insert into analytics.rpt_reconciliation (reconciliation_key, asset_key, date_key, chain, reasons)
select -asset_key, asset_key, -1, chain, 'MISSING: ' || problem || '. Rows of this chain are of '
    || coalesce(to_char(copied_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), 'no time') || ' UTC.'
from {TABLE} where not is_reachable and chain = any (%s)
"""  # noqa: S608 - no foreign text


@dataclass(frozen=True)
class Status:
    """What was found of a chain's warehouse.

    Attributes:
        chain: Which.
        address: Where it is.
        problem: Why it does not answer; empty where it does.
        newest_load: The newest load that its marts know; None where that is not known.
        copied_load: The newest load of the rows that were copied just now; None where none were.
    """

    chain: str
    address: str
    problem: str = ""
    newest_load: int | None = None
    copied_load: int | None = None


def ensure_status(connection: psycopg.Connection[Any]) -> None:
    """Make the table that says it."""
    row = connection.execute("select to_regclass(%s) is null", (TABLE,)).fetchone()
    if row == (True,):
        connection.execute(_MAKE.encode())
        for name, comment in _COMMENTS.items():
            kind = "table" if name == TABLE else "column"
            connection.execute(f"comment on {kind} {name} is '{comment.replace(chr(39), chr(39) * 2)}'".encode())


def say_status(connection: psycopg.Connection[Any], statuses: Sequence[Status], assets: Mapping[str, int]) -> None:
    """Say it in that table, and of chains that do not answer in rpt_reconciliation."""
    connection.execute(f"delete from {TABLE} where chain <> all (%s)".encode(), (list(assets),))  # noqa: S608
    for status in statuses:
        said = {
            "chain": status.chain,
            "asset": assets[status.chain],
            "address": status.address,
            "reachable": not status.problem,
            "problem": status.problem,
            "newest": status.newest_load,
            "copied": status.copied_load,
        }
        connection.execute(_SAY.encode(), said)
    connection.execute("delete from analytics.rpt_reconciliation where reconciliation_key = -asset_key")
    connection.execute(_MISSING.encode(), (list(assets),))
