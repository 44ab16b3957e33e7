"""How each table of `analytics` is united: which rows come from which chain's server, and what is copied.

No connection is opened here: a catalog of each chain goes in, a layout comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = Literal["each", "mixed", "one", "shared", "calendar"]
CALENDAR = "dim_date"
# Prices, and what is computed of several coins' prices: each server has all of it, so one is asked.
_MARKET = ("fct_market_", "bi_market_", "fct_asset_pair", "bi_asset_pair", "dim_asset_history")
# A chain's server has rows of others here too: of all coins, of `unknown`, or of none.
_MIXED = (
    *("dim_asset", "dim_miner", "dim_address", "dim_block", "dim_network_epoch", "fct_pipeline_runs"),
    *("rpt_asset_status", "bi_asset_status", "rpt_latest_changes", "bi_latest_changes"),
)
# Grow with the chain, so they are read where they are.
_LARGE = (
    *("dim_address", "dim_block", "bi_transactions", "bi_blocks", "bi_whale_transfers"),
    *("fct_contract_gas_daily", "fct_token_daily"),
)
# Say how far each chain is, so they have to answer also when its server does not.
_STATUS = ("reconciliation", "day_status", "asset_status", "latest_changes", "source_differences")


@dataclass(frozen=True)
class Column:
    """A column: its name, its type as PostgreSQL writes it, and what is said of it."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class Relation:
    """A table or view of `analytics` on a chain's server."""

    columns: tuple[Column, ...]
    comment: str = ""


@dataclass(frozen=True)
class Catalog:
    """What the reader sees on a chain's server.

    Attributes:
        relations: Of `analytics`, by name.
        assets: The asset_key of each chain that `dim_asset` names.
        collation: By which texts are sorted.
        newest_load: Number of the newest load that the marts know; None where nothing is loaded.
    """

    relations: Mapping[str, Relation]
    assets: Mapping[str, int]
    collation: str
    newest_load: int | None


@dataclass(frozen=True)
class United:
    """A table of the serving database.

    Attributes:
        name: In `analytics`, here and there.
        columns: Those that every chain's server has.
        comment: Of the table.
        rows: each: every server's own; mixed: also rows of no chain, from the first server; one: all rows from the
            first server; shared: the distinct rows of all; calendar: days, put together of all.
        key: The column that says whose a row is; empty where no column does.
        is_copied: Whether rows are kept here, and else asked for when they are read.
    """

    name: str
    columns: tuple[Column, ...]
    comment: str
    rows: Rows
    key: str
    is_copied: bool


def lay_out(catalogs: Mapping[str, Catalog], *, copy_daily: bool) -> list[United]:
    """The tables of the serving database, by name.

    Args:
        catalogs: By chain; of the first one come prices, constants and the order of columns.
        copy_daily: Whether to keep daily marts here too.

    Raises:
        WarehouseError: Servers sort texts differently, a column has another type on each, or a chain has no coin.
    """
    first, *others = catalogs
    for chain in others:
        if catalogs[chain].collation != catalogs[first].collation:
            raise WarehouseError(
                f"The warehouses sort texts differently: {catalogs[first].collation} for {first}, "
                f"{catalogs[chain].collation} for {chain}. Make one anew with the collation of the other."
            )
    for chain in catalogs:
        if chain not in catalogs[chain].assets:
            raise WarehouseError(f"dim_asset of the warehouse of {chain} does not name {chain}: build its marts first.")
    common = [name for name in catalogs[first].relations if all(name in each.relations for each in catalogs.values())]
    return [
        _united(name, {chain: catalogs[chain].relations[name] for chain in catalogs}, copy_daily) for name in common
    ]


def left_out(catalogs: Mapping[str, Catalog]) -> list[str]:
    """What only some servers have, a sentence each: tables, and columns of tables that all have."""
    said = []
    names = dict.fromkeys(name for each in catalogs.values() for name in each.relations)
    for name in names:
        owners = [chain for chain in catalogs if name in catalogs[chain].relations]
        if len(owners) < len(catalogs):
            said.append(f"{name} is left out: only {', '.join(owners)} has it")
            continue
        columns = {chain: {column.name for column in catalogs[chain].relations[name].columns} for chain in catalogs}
        for column in _not_shared(list(columns.values())):
            having = ", ".join(chain for chain in catalogs if column in columns[chain])
            said.append(f"{name}.{column} is left out: only {having} has it")
    return said


def _not_shared(sets: list[set[str]]) -> list[str]:
    return sorted(name for name in set().union(*sets) if not all(name in each for each in sets))


def _united(name: str, found: Mapping[str, Relation], copy_daily: bool) -> United:  # noqa: FBT001
    first, *others = found.values()
    columns = tuple(column for column in first.columns if all(column.name in _types(relation) for relation in others))
    for chain, relation in found.items():
        for column in columns:
            if _types(relation)[column.name] != column.type:
                raise WarehouseError(
                    f"{name}.{column.name} is {column.type} on {next(iter(found))} and {_types(relation)[column.name]} "
                    f"on {chain}: bring both warehouses to the same release by `warehouse migrate`."
                )
    rows, key = _whose(name, {column.name for column in columns})
    return United(name, columns, first.comment, rows, key, _is_copied(name, copy_daily=copy_daily))


def _types(relation: Relation) -> dict[str, str]:
    return {column.name: column.type for column in relation.columns}


def _whose(name: str, columns: set[str]) -> tuple[Rows, str]:
    if name == CALENDAR:
        return "calendar", ""
    key = next((each for each in ("chain", "asset_key") if each in columns), "")
    if name.startswith(_MARKET):
        return "one", ""
    if not key:
        return ("shared" if name.startswith("dim_") else "one"), ""
    return ("mixed" if name in _MIXED else "each"), key


def _is_copied(name: str, *, copy_daily: bool) -> bool:
    if name in _LARGE:
        return False
    if name.startswith("dim_") or name == "fct_pipeline_runs" or name.split("_", 1)[-1].startswith(_STATUS):
        return True
    return copy_daily and (name.endswith(("_daily", "_periodic")) or name.startswith(("bi_", "rpt_")))
