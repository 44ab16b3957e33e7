"""Unites the warehouses of several chains in a serving database, by PostgreSQL's own postgres_fdw."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from warehouse.errors import WarehouseError
from warehouse.rights import MARTS
from warehouse.server import ADMIN, connect
from warehouse.united_catalog import read_catalog, reading
from warehouse.united_chains import READER
from warehouse.united_layout import Catalog, United, lay_out, left_out
from warehouse.united_sql import (
    DATABASE_SETTINGS,
    STATE,
    digest,
    finish,
    make,
    mapping_statement,
    read_rows,
    replace_rows,
    server_statement,
    sources,
)
from warehouse.united_status import Status, ensure_status, say_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from warehouse.server import Server
    from warehouse.united_chains import ChainServer

Connection = psycopg.Connection[Any]
TRANSFORMER = "transformer"
_SERVERS = """
select srvname::text, coalesce(
    (select jsonb_object_agg(option_name, option_value) from pg_options_to_table(srvoptions)), '{}'
), (
    select coalesce((select jsonb_object_agg(option_name, option_value) from pg_options_to_table(umoptions)), '{}')
    from pg_user_mappings as m where m.srvid = s.oid and m.usename = %s
)
from pg_foreign_server as s where srvname like 'chain\\_%%'
"""
_BUILT = """
select relname::text from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'v', 'f', 'm')
    and not relispartition and relname <> all (%s) and relname ~ '^(bi|dim|fct|rpt)_' limit 3
"""
_KINDS = {"r": "table", "p": "table", "v": "view", "f": "foreign table"}
_LOCK_SECONDS = 30


def look(chains: Sequence[ChainServer]) -> tuple[dict[str, Catalog], dict[str, str]]:
    """Catalogs of the chains that answer, and a sentence for each that does not."""
    found, problems = {}, {}
    for chain in chains:
        try:
            with reading(chain) as connection:
                found[chain.chain] = read_catalog(connection, chain)
        except WarehouseError as error:
            problems[chain.chain] = str(error)
    return found, problems


def unite(
    server: Server, chains: Sequence[ChainServer], say: Callable[[str], None], *, copy_daily: bool | None = None
) -> dict[str, str]:
    """Make the serving database what its chains' warehouses are; a second run changes only what differs there.

    Tables and copied rows are replaced in one transaction: readers see all of the old or all of the new. Of a chain
    that does not answer the copied rows stay; tables are then left as they are.

    Args:
        server: The serving database.
        chains: What it unites; prices and constants come from the first.
        say: Takes a line of progress.
        copy_daily: Whether to keep daily marts here too; None leaves that as it is.

    Returns:
        A sentence for each chain that did not answer.

    Raises:
        WarehouseError: A chain was never reached, or something of the serving database is in the way.
    """
    catalogs, problems = look(chains)
    _administer(server, chains, say)
    with transforming(server) as connection:
        state, copied_daily = read_state(connection)
        copy_daily = copied_daily if copy_daily is None else copy_daily
        if problems and state is None:
            raise WarehouseError(f"Nothing is united yet, and for that every chain has to answer. {_all(problems)}")
        if problems:
            layout, assets = _read_layout(connection, chains, catalogs, problems, copy_daily=copy_daily)
        else:
            layout, assets = lay_out(catalogs, copy_daily=copy_daily), assets_of(catalogs)
            for line in left_out(catalogs):
                say(line)
            _check_alone(connection, server)
            wanted = digest_of(chains, layout, assets)
            if wanted != state:
                _make_tables(connection, server, chains, layout, assets)
                connection.execute("delete from united.layout")
                connection.execute("insert into united.layout values (%s, %s)", (wanted, copy_daily))
                say("tables are made" if state is None else "tables are made anew, since they have changed")
        statuses = _copy(connection, chains, layout, assets, problems)
        say_status(connection, statuses, assets)
    copied = sum(table.is_copied for table in layout)
    say(f"{len(layout)} tables unite {', '.join(each.chain for each in chains)}; rows of {copied} are kept here")
    return {status.chain: status.problem for status in statuses if status.problem}


def assets_of(catalogs: Mapping[str, Catalog]) -> dict[str, int]:
    """The asset_key of each chain, as its own warehouse says it."""
    return {chain: catalog.assets[chain] for chain, catalog in catalogs.items()}


def _all(problems: Mapping[str, str]) -> str:
    return "; ".join(problems.values()) + "."


def _administer(server: Server, chains: Sequence[ChainServer], say: Callable[[str], None]) -> None:
    """What takes an administrator: the extension, foreign servers, who logs in there, schemas, settings."""
    reader, transformer = server.name_of(READER), server.name_of(TRANSFORMER)
    with connect(server, ADMIN) as connection:
        try:
            schemas = [STATE, *(chain.name for chain in chains)]
            for name in schemas:
                connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(name)))
                grant = sql.SQL("grant usage, create on schema {} to {}")
                connection.execute(grant.format(sql.Identifier(name), sql.Identifier(transformer)))
            _make_extension(connection, server)
            present = {name: (options, mapped) for name, options, mapped in connection.execute(_SERVERS, (reader,))}
            for chain in chains:
                options, mapping = present.get(chain.name, (None, None))
                statement = server_statement(chain, options)
                if statement is not None:
                    connection.execute(statement)
                    say(f"foreign server {chain.name} is {chain.address}")
                statement = mapping_statement(chain, reader, mapping)
                if statement is not None:
                    connection.execute(statement)
                # Not to the reader: who may use a server sees the password of his own mapping.
                grant = sql.SQL("grant usage on foreign server {} to {}")
                connection.execute(grant.format(sql.Identifier(chain.name), sql.Identifier(transformer)))
                grant = sql.SQL("grant usage on schema {} to {}")
                connection.execute(grant.format(sql.Identifier(chain.name), sql.Identifier(reader)))
            for setting, value in DATABASE_SETTINGS.items():
                connection.execute(
                    sql.SQL("alter database {} set {} = {}").format(
                        sql.Identifier(server.database), sql.Identifier(setting), sql.Literal(value)
                    )
                )
        except psycopg.Error as error:
            raise WarehouseError(
                f"The administrator of {server.database} cannot prepare it: {_reason(error)}. Run `warehouse init` "
                "first; the administrator has to own the database."
            ) from None


def _make_extension(connection: Connection, server: Server) -> None:
    try:
        with connection.transaction():
            statement = sql.SQL("create extension if not exists postgres_fdw schema {}")
            connection.execute(statement.format(sql.Identifier(STATE)))
    except psycopg.Error as error:
        who = sql.Identifier(server.login(ADMIN).user).as_string(connection)
        raise WarehouseError(
            f"postgres_fdw cannot be installed in {server.database}: {_reason(error)}. A superuser types there: create "
            f"extension postgres_fdw; grant usage on foreign data wrapper postgres_fdw to {who}; then run this again."
        ) from None


@contextmanager
def transforming(server: Server) -> Iterator[Connection]:
    """A transaction of the owner of `analytics`; one at a time."""
    try:
        with connect(server, TRANSFORMER) as connection:
            connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(f"{_LOCK_SECONDS}s")))
            connection.execute("create table if not exists united.made (relation text primary key, kind text not null)")
            connection.execute(
                "create table if not exists united.layout (digest text not null, copies_daily boolean not null)"
            )
            connection.execute("lock table united.layout in exclusive mode")
            ensure_status(connection)
            yield connection
    except psycopg.errors.LockNotAvailable:
        raise WarehouseError(
            f"Somebody reads or unites {server.database} for longer than {_LOCK_SECONDS} s; nothing is changed, run it "
            "again."
        ) from None
    except psycopg.errors.DependentObjectsStillExist as error:
        raise WarehouseError(
            f"Something was made upon a united table ({error.diag.message_detail or _reason(error)}); nothing is "
            "changed. Drop it, run this again, and make it again."
        ) from None
    except psycopg.Error as error:
        raise WarehouseError(f"Uniting in {server.database} failed and was rolled back: {_reason(error)}.") from None


def _reason(error: psycopg.Error) -> str:
    return error.diag.message_primary or next(iter(str(error).splitlines()), "no reason given")


def read_state(connection: Connection) -> tuple[str | None, bool]:
    """A digest of the tables as they were made, and whether daily marts are copied; None where none are made."""
    row = connection.execute("select digest, copies_daily from united.layout").fetchone()
    return (row[0], row[1]) if row else (None, False)


def _read_layout(
    connection: Connection,
    chains: Sequence[ChainServer],
    catalogs: Mapping[str, Catalog],
    problems: Mapping[str, str],
    *,
    copy_daily: bool,
) -> tuple[list[United], dict[str, int]]:
    """Of the tables as they were made: what those chains say that answer, without what is not here."""
    known = dict(connection.execute("select chain, asset_key from analytics.rpt_united_chains").fetchall())
    missing = [chain.chain for chain in chains if chain.chain not in known]
    if missing:
        raise WarehouseError(
            f"{', '.join(missing)} was never united, and for that every chain has to answer. {_all(problems)}"
        )
    assets = {chain.chain: known[chain.chain] for chain in chains}
    kinds = dict(connection.execute("select relation, kind from united.made").fetchall())
    found = lay_out(catalogs, copy_daily=copy_daily) if catalogs else []
    names = dict.fromkeys(table.name for table in found)
    columns = {
        name: {
            column
            for (column,) in connection.execute(
                "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
                " and not attisdropped",
                (f"{MARTS}.{name}",),
            )
        }
        for name in names
    }
    return [
        United(
            table.name,
            tuple(column for column in table.columns if column.name in columns[table.name]),
            table.comment,
            table.rows,
            table.key,
            kinds.get(table.name) == "copy",
        )
        for table in found
        if columns[table.name]
    ], assets


def digest_of(chains: Sequence[ChainServer], layout: Sequence[United], assets: Mapping[str, int]) -> str:
    """Of the tables that a layout makes."""
    return digest(statement for table in layout for statement in make(table, chains, assets))


def _check_alone(connection: Connection, server: Server) -> None:
    made = [name for (name,) in connection.execute("select relation from united.made")]
    others = [name for (name,) in connection.execute(_BUILT, (MARTS, [*made, "rpt_united_chains"]))]
    if others:
        raise WarehouseError(
            f"{server.database} has marts of its own ({', '.join(others)}, ...). A serving database holds "
            "nothing else: name a new one in WAREHOUSE_DB, run `warehouse init`, then this again."
        )


def _make_tables(
    connection: Connection,
    server: Server,
    chains: Sequence[ChainServer],
    layout: Sequence[United],
    assets: Mapping[str, int],
) -> None:
    """Make all tables anew."""
    _drop_tables(connection, [chain.name for chain in chains])
    for table in layout:
        for statement in make(table, chains, assets):
            connection.execute(statement)
    for chain in chains:
        grant = sql.SQL("grant select on all tables in schema {} to {}")
        connection.execute(grant.format(sql.Identifier(chain.name), sql.Identifier(server.name_of(READER))))
    kinds = [(table.name, "copy" if table.is_copied else "live") for table in layout]
    connection.cursor().executemany("insert into united.made values (%s, %s)", kinds)


def _drop_tables(connection: Connection, schemas: Sequence[str]) -> None:
    """Drop what was united: first what reads foreign tables, then these."""
    for condition, parameters in (
        ("relnamespace = 'analytics'::regnamespace and relname in (select relation from united.made)", ()),
        ("relnamespace::regnamespace::text = any (%s) and relkind in ('f', 'r')", (list(schemas),)),
    ):
        query = (
            f"select relnamespace::regnamespace::text, relname::text, relkind::text from pg_class where {condition}"  # noqa: S608
            " order by relkind = 'v' desc"
        )
        for schema, name, kind in connection.execute(query.encode(), parameters).fetchall():
            statement = sql.SQL("drop {} {}").format(sql.SQL(_KINDS[kind]), sql.Identifier(schema, name))
            connection.execute(statement)
    connection.execute("delete from united.made")


def _copy(
    connection: Connection,
    chains: Sequence[ChainServer],
    layout: Sequence[United],
    assets: Mapping[str, int],
    problems: Mapping[str, str],
) -> list[Status]:
    """Take the rows that are kept here; those of a chain that does not answer stay."""
    statuses = []
    with ExitStack() as opened:
        for chain in chains:
            if chain.chain in problems:
                statuses.append(Status(chain.chain, chain.address, problems[chain.chain]))
                continue
            source = opened.enter_context(reading(chain))
            newest = read_catalog(source, chain).newest_load
            for table in layout:
                if table.is_copied and chain in sources(table, chains):
                    delete, take = replace_rows(table, chain, assets)
                    connection.execute(delete)
                    _pass_on(source, read_rows(table, chain, assets), connection, take)
            statuses.append(Status(chain.chain, chain.address, "", newest, newest))
    for table in layout:
        for statement in finish(table, chains):
            connection.execute(statement)
    return statuses


def _pass_on(source: Connection, read: sql.Composed, target: Connection, take: sql.Composed) -> None:
    with source.cursor() as reader, target.cursor() as writer, reader.copy(read) as rows, writer.copy(take) as into:
        for data in rows:
            into.write(data)


def remove(server: Server, say: Callable[[str], None]) -> None:
    """Take back all that :func:`unite` has made; the chains' warehouses are not touched.

    Raises:
        WarehouseError: Somebody's view stands on a united table.
    """
    with connect(server, ADMIN) as connection:
        reader = server.name_of(READER)
        found = [name for name, _, _ in connection.execute(_SERVERS, (reader,))]
        ((is_united,),) = connection.execute("select to_regclass('united.layout') is not null").fetchall()
    if is_united:
        with transforming(server) as connection:
            _drop_tables(connection, found)
            for name in ("analytics.rpt_united_chains", "united.layout", "united.made"):
                connection.execute(f"drop table {name}".encode())
    with connect(server, ADMIN) as connection:
        for name in found:
            connection.execute(sql.SQL("drop schema if exists {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("drop server {} cascade").format(sql.Identifier(name)))
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(STATE)))
        for setting in DATABASE_SETTINGS:
            connection.execute(
                sql.SQL("alter database {} reset {}").format(sql.Identifier(server.database), sql.Identifier(setting))
            )
    say(f"{server.database} unites nothing any more" if found else f"{server.database} united nothing")
