"""Says what of a serving database is stale, missing or unreachable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from warehouse.errors import WarehouseError
from warehouse.server import connect
from warehouse.unite import assets_of, digest_of, look, read_state, transforming
from warehouse.united_chains import READER
from warehouse.united_layout import lay_out, left_out
from warehouse.united_status import Status, say_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warehouse.server import Server
    from warehouse.united_chains import ChainServer
    from warehouse.united_layout import Catalog

_AGAIN = "run `warehouse unite`"
_PROBE = "select 1 from {}.dim_block limit 1"


def check(server: Server, chains: Sequence[ChainServer]) -> list[str]:
    """Ask each chain's warehouse, from here and from the serving database, and note what is found there.

    `analytics.rpt_united_chains` says the same to readers, and `rpt_reconciliation` has a row for each chain that does
    not answer; no other table is changed.

    Returns:
        A sentence for each thing that is wrong; none when all is well.

    Raises:
        WarehouseError: The serving database does not answer, or nothing was united in it.
    """
    _refuse_unless_united(server)
    catalogs, unreachable = look(chains)
    for chain in chains:
        if chain.chain not in unreachable:
            problem = _asked_through(server, chain)
            if problem:
                unreachable[chain.chain] = problem
    with transforming(server) as connection:
        state, copies_daily = read_state(connection)
        known = {
            chain: (asset, copied)
            for chain, asset, copied in connection.execute(
                "select chain, asset_key, copied_load from analytics.rpt_united_chains"
            )
        }
        names = [chain.chain for chain in chains]
        if sorted(names) != sorted(known):
            return [f"changed: {', '.join(sorted(known))} are united and not {', '.join(sorted(names))}; {_AGAIN}"]
        found = [f"unreachable: {problem}" for problem in unreachable.values()]
        if len(catalogs) == len(chains):
            found += _compared(chains, catalogs, state, copies_daily=copies_daily)
        for name, catalog in catalogs.items():
            copied = known[name][1]
            if catalog.newest_load != copied:
                found.append(
                    f"stale: rows of {name} that are kept here are of its load {copied}, its marts of load "
                    f"{catalog.newest_load}; {_AGAIN}"
                )
        statuses = [
            Status(
                chain.chain,
                chain.address,
                unreachable.get(chain.chain, ""),
                catalogs[chain.chain].newest_load if chain.chain in catalogs else None,
            )
            for chain in chains
        ]
        say_status(connection, statuses, {name: asset for name, (asset, _) in known.items()})
    return found


def _compared(
    chains: Sequence[ChainServer], catalogs: Mapping[str, Catalog], state: str | None, *, copies_daily: bool
) -> list[str]:
    try:
        layout = lay_out(catalogs, copy_daily=copies_daily)
    except WarehouseError as error:
        return [f"changed: {error}"]
    found = [f"missing: {line}" for line in left_out(catalogs)]
    if digest_of(chains, layout, assets_of(catalogs)) != state:
        found.append(f"changed: tables or columns of the chains' warehouses are not those that are united; {_AGAIN}")
    return found


def _refuse_unless_united(server: Server) -> None:
    with connect(server, "transformer") as connection:
        row = connection.execute(
            "select to_regclass('united.layout') is not null and to_regclass('analytics.rpt_united_chains') is not null"
        ).fetchone()
    if row != (True,):
        raise WarehouseError(f"{server.database} unites nothing yet; {_AGAIN}.")


def _asked_through(server: Server, chain: ChainServer) -> str:
    """Why the serving database itself gets no answer of a chain's; empty where it does."""
    try:
        with connect(server, READER) as connection:
            connection.execute(_PROBE.format(chain.name).encode())
    except psycopg.Error as error:
        reason = error.diag.message_detail or error.diag.message_primary or "no reason given"
        return f"{chain.chain} does not answer the serving database at {chain.address}: {reason.strip()}"
    return ""
