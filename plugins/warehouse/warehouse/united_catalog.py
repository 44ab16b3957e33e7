"""What the reader sees on a chain's server."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

from warehouse.errors import WarehouseError
from warehouse.rights import MARTS
from warehouse.server import connect
from warehouse.united_chains import READER
from warehouse.united_layout import Catalog, Column, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse.united_chains import ChainServer

# Tables that a build makes beside the old ones have names of their own for a moment.
_COLUMNS = """
select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
    coalesce(col_description(c.oid, a.attnum), ''), coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
    and c.relname ~ '^(bi|dim|fct|rpt)_' and c.relname !~ '__dbt_'
    and has_table_privilege(c.oid, 'select')
order by c.relname, a.attnum
"""
_COLLATION = """
select concat_ws(' ', datlocprovider, datcollate, to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
from pg_database as d where datname = current_database()
"""


@contextmanager
def reading(chain: ChainServer) -> Iterator[psycopg.Connection[Any]]:
    """Read a chain's warehouse as it is at one moment.

    Raises:
        WarehouseError: It cannot be reached, or stops answering; the text names the chain and its variables.
    """
    try:
        # Named local, so that the sentence does not name variables of another server.
        with connect(replace(chain.server, environment="local"), READER) as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection
    except WarehouseError as error:
        said = str(error).removeprefix("Cannot connect to ").rstrip(".")
        raise WarehouseError(f"{chain.chain} does not answer: {said} (read from {chain.variables})") from None
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
        said = next(iter(str(error).splitlines()), "no reason given")
        raise WarehouseError(f"{chain.chain} ({chain.address}) stopped answering: {said}") from None


def read_catalog(connection: psycopg.Connection[Any], chain: ChainServer) -> Catalog:
    """Tables, columns and coins of a chain's warehouse, and up to which load its marts are built.

    Raises:
        WarehouseError: Its marts are not built.
    """
    columns: dict[str, list[Column]] = {}
    comments: dict[str, str] = {}
    for relation, name, kind, comment, of_relation in connection.execute(_COLUMNS, (MARTS,)):
        columns.setdefault(relation, []).append(Column(name, kind, comment))
        comments[relation] = of_relation
    if not {"dim_asset", "fct_pipeline_runs"} <= columns.keys():
        raise WarehouseError(
            f"{chain.chain} ({chain.address}) has no marts that {READER} may read: build them there by `meltano run "
            "dbt-postgres:build`, and run `warehouse init` there for the rights."
        )
    assets = dict(
        connection.execute("select chain, asset_key from analytics.dim_asset where chain is not null").fetchall()
    )
    ((collation,),) = connection.execute(_COLLATION).fetchall()
    ((newest,),) = connection.execute("select max(pipeline_run_key) from analytics.fct_pipeline_runs").fetchall()
    relations = {name: Relation(tuple(found), comments[name]) for name, found in columns.items()}
    return Catalog(relations, assets, collation, newest)
