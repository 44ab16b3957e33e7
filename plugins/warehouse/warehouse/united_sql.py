"""The statements that make, fill and remove what a layout says; no connection is opened here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

from warehouse.rights import MARTS
from warehouse.united_layout import CALENDAR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from warehouse.united_chains import ChainServer
    from warehouse.united_layout import Column, United

STATE = "united"
"""The schema of what only this program reads, and of the extension."""
_CONNECT_SECONDS = "5"
_FETCH_ROWS = "10000"
# Asked with each aggregate, so that a sum over three chains is three sums: https://www.postgresql.org/docs/current/
# postgres-fdw.html and runtime-config-query.html.
DATABASE_SETTINGS = {"enable_partitionwise_aggregate": "on", "enable_partitionwise_join": "on"}


def server_options(chain: ChainServer) -> dict[str, str]:
    """The options of a chain's foreign server; rows are read, never written."""
    found = {
        "host": chain.server.host,
        "port": str(chain.server.port),
        "dbname": chain.server.database,
        "sslmode": chain.server.sslmode,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "crypto-elt serving %d",
        "async_capable": "true",
        "fetch_size": _FETCH_ROWS,
        "use_remote_estimate": "true",
        "updatable": "false",
        "truncatable": "false",
    }
    return found | ({"sslrootcert": chain.root_certificate} if chain.root_certificate else {})


def server_statement(chain: ChainServer, present: Mapping[str, str] | None) -> sql.Composed | None:
    """Make a foreign server, or change what differs of it; None where nothing does."""
    wanted = server_options(chain)
    name = sql.Identifier(chain.name)
    if present is None:
        options = [sql.SQL("{} {}").format(sql.Identifier(key), sql.Literal(value)) for key, value in wanted.items()]
        statement = sql.SQL("create server {} foreign data wrapper postgres_fdw options ({})")
        return statement.format(name, sql.SQL(", ").join(options))
    changes = [
        sql.SQL("{} {} {}").format(sql.SQL("set" if key in present else "add"), sql.Identifier(key), sql.Literal(value))
        for key, value in wanted.items()
        if present.get(key) != value
    ]
    changes += [sql.SQL("drop {}").format(sql.Identifier(key)) for key in present if key not in wanted]
    return sql.SQL("alter server {} options ({})").format(name, sql.SQL(", ").join(changes)) if changes else None


def mapping_statement(chain: ChainServer, role: str, present: Mapping[str, str] | None) -> sql.Composed | None:
    """Log a role of the serving database in on the chain's server as its reader; None where it does so already.

    Of a mapping that is there nobody but a superuser sees the options: for others they are set again.
    """
    login = chain.server.login("bi_reader")
    if present == {"user": login.user, "password": login.password}:
        return None
    verb, add = ("create", "") if present is None else ("alter", "set ")
    return sql.SQL("{} user mapping for {} server {} options ({}user {}, {}password {})").format(
        sql.SQL(verb),
        sql.Identifier(role),
        sql.Identifier(chain.name),
        sql.SQL(add),
        sql.Literal(login.user),
        sql.SQL(add),
        sql.Literal(login.password),
    )


def owns(table: United, chain: str, chains: Mapping[str, int]) -> sql.Composable:
    """The condition that a row of a chain's server is that chain's, in the serving database and on the server.

    Args:
        table: Which table.
        chain: Whose server.
        chains: The asset_key of each united chain; rows of none of them come from the first.
    """
    if not table.key:
        return sql.SQL("true")
    values = {each: sql.Literal(each if table.key == "chain" else chains[each]) for each in chains}
    key = sql.Identifier(table.key)
    own = sql.SQL("{} = {}").format(key, values[chain])
    if table.rows == "each" or chain != next(iter(chains)):
        return own
    every = sql.SQL(", ").join(values.values())
    return sql.SQL("({} is null or {} not in ({}) or {})").format(key, key, every, own)


def sources(table: United, chains: Sequence[ChainServer]) -> Sequence[ChainServer]:
    """The servers that a table's rows come from."""
    return chains[:1] if table.rows == "one" else chains


def make(table: United, chains: Sequence[ChainServer], assets: Mapping[str, int]) -> Iterator[sql.Composed]:
    """Make a table of the serving database, and the foreign tables that it reads."""
    name, columns = sql.Identifier(MARTS, table.name), _columns(table.columns)
    kind = "table"
    if table.is_copied:
        yield sql.SQL("create table {} ({})").format(name, columns)
        if _is_merged(table):
            for chain in chains:
                yield sql.SQL("create table {} ({})").format(sql.Identifier(chain.name, table.name), columns)
    elif table.rows == "one":
        kind = "foreign table"
        yield sql.SQL("create foreign table {} ({}) {}").format(name, columns, _remote(table, chains[0]))
    elif table.rows == "each":
        yield sql.SQL("create table {} ({}) partition by list ({})").format(name, columns, sql.Identifier(table.key))
        for chain in chains:
            value = sql.Literal(chain.chain if table.key == "chain" else assets[chain.chain])
            yield sql.SQL("create foreign table {} partition of {} for values in ({}) {}").format(
                sql.Identifier(chain.name, table.name), name, value, _remote(table, chain)
            )
    else:
        kind = "view"
        parts = []
        for chain in chains:
            part = sql.Identifier(chain.name, table.name)
            yield sql.SQL("create foreign table {} ({}) {}").format(part, columns, _remote(table, chain))
            parts.append(
                sql.SQL("select {} from {} where {}").format(_names(table), part, owns(table, chain.chain, assets))
            )
        # Asks as who reads it, since nobody else can log in on a chain's server.
        yield sql.SQL("create view {} with (security_invoker = true) as {}").format(
            name, sql.SQL(" union all ").join(parts)
        )
    yield from _comments(table, name, kind)


def _remote(table: United, chain: ChainServer) -> sql.Composed:
    return sql.SQL("server {} options (schema_name {}, table_name {})").format(
        sql.Identifier(chain.name), sql.Literal(MARTS), sql.Literal(table.name)
    )


def _comments(table: United, name: sql.Identifier, kind: str) -> Iterator[sql.Composed]:
    if table.comment:
        yield sql.SQL("comment on {} {} is {}").format(sql.SQL(kind), name, sql.Literal(table.comment))
    for column in table.columns:
        if column.comment:
            yield sql.SQL("comment on column {} is {}").format(
                sql.Identifier(MARTS, table.name, column.name), sql.Literal(column.comment)
            )


def _columns(columns: Iterable[Column]) -> sql.Composed:
    # The type is PostgreSQL's own spelling of it, from format_type().
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in columns
    )


def _names(table: United) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)


def read_rows(table: United, chain: ChainServer, assets: Mapping[str, int]) -> sql.Composed:
    """Asked on a chain's server: its rows of a copied table."""
    return sql.SQL("copy (select {} from {} where {}) to stdout").format(
        _names(table), sql.Identifier(MARTS, table.name), owns(table, chain.chain, assets)
    )


def replace_rows(table: United, chain: ChainServer, assets: Mapping[str, int]) -> tuple[sql.Composed, sql.Composed]:
    """Asked here: delete a chain's rows of a copied table, and take those of :func:`read_rows`."""
    schema = chain.name if _is_merged(table) else MARTS
    name = sql.Identifier(schema, table.name)
    return (
        sql.SQL("delete from {} where {}").format(name, owns(table, chain.chain, assets)),
        sql.SQL("copy {} ({}) from stdin").format(name, _names(table)),
    )


def _is_merged(table: United) -> bool:
    """Whether each chain's rows are kept by themselves, to be put together here."""
    return table.rows in {"shared", "calendar"}


def finish(table: United, chains: Sequence[ChainServer]) -> Iterator[sql.Composed]:
    """Put the copied rows of all chains together, where a row says something of more than its own chain."""
    name = sql.Identifier(MARTS, table.name)
    if _is_merged(table):
        yield sql.SQL("delete from {}").format(name)
    if table.rows == "calendar":
        yield _merge_days(table, chains)
    elif table.rows == "shared":
        each = [
            sql.SQL("select {} from {}").format(_names(table), sql.Identifier(chain.name, table.name))
            for chain in chains
        ]
        yield sql.SQL("insert into {} ({}) {}").format(name, _names(table), sql.SQL(" union ").join(each))
    elif table.is_copied and any(column.name == "change_rank" for column in table.columns):
        # As rpt_latest_changes.sql ranks, among all chains; the table for BI tools has the same keys.
        yield sql.SQL(
            "update {} as held set change_rank = ranked.place from (select change_key, rank() over (order by"
            " abs(change_ratio) desc) as place from {} where change_ratio is not null) as ranked"
            " where held.change_key = ranked.change_key"
        ).format(name, sql.Identifier(MARTS, "rpt_latest_changes"))


def _merge_days(table: United, chains: Sequence[ChainServer]) -> sql.Composed:
    """Make the united days of each chain's: what dim_date.sql says of several chains in one warehouse.

    A day's own columns are the same everywhere. A chain's columns come from its server, those of a chain that is not
    united from any. Offsets count from the newest day of all; a day is complete that is so on every server.
    """
    each = sql.SQL(" union all ").join(
        sql.SQL("select {} as served_chain, {} from {}").format(
            sql.Literal(chain.chain), _names(table), sql.Identifier(chain.name, table.name)
        )
        for chain in chains
    )
    own = {
        f"{kind}_{chain.chain}": chain.chain
        for chain in chains
        for kind in ("is_complete", "reward_epoch", "is_price_gap")
    }
    picked = []
    for column in table.columns:
        name = sql.Identifier(column.name)
        if column.name in _OFFSETS:
            value: sql.Composable = sql.SQL(_OFFSETS[column.name])
        elif column.name == "is_complete_day":
            value = sql.SQL("serving_count > 0 and count(*) filter (where is_complete_day) = serving_count")
        elif column.name in {"date_key", "date_day"}:
            value = name
        elif column.name in own:
            one = sql.SQL("(array_agg({}) filter (where served_chain = {}))[1]").format(
                name, sql.Literal(own[column.name])
            )
            value = sql.SQL("coalesce({}, false)").format(one) if column.type == "boolean" else one
        else:
            value = sql.SQL("(array_agg({}))[1]").format(name)
        picked.append(sql.SQL("{} as {}").format(value, name))
    return sql.SQL(
        "insert into {target} ({names}) with days as ({each}), newest as ("
        " select max(date_day - day_offset) as newest_day, count(distinct served_chain) filter (where day_offset is"
        " not null) as serving_count from days)"
        " select {picked} from days cross join newest group by date_key, date_day, newest_day, serving_count"
    ).format(target=sql.Identifier(MARTS, CALENDAR), names=_names(table), each=each, picked=sql.SQL(", ").join(picked))


_OFFSETS = {
    "day_offset": "date_day - newest_day",
    "week_offset": "(date_trunc('week', date_day)::date - date_trunc('week', newest_day)::date) / 7",
    "month_offset": "(12 * (extract(year from date_day) - extract(year from newest_day))"
    " + extract(month from date_day) - extract(month from newest_day))::integer",
    "quarter_offset": "(4 * (extract(year from date_day) - extract(year from newest_day))"
    " + extract(quarter from date_day) - extract(quarter from newest_day))::integer",
    "year_offset": "(extract(year from date_day) - extract(year from newest_day))::integer",
}


def digest(statements: Iterable[sql.Composed]) -> str:
    """Of statements, to see whether what was made before is still what is wanted."""
    said = hashlib.sha256()
    for statement in statements:
        said.update(statement.as_string(None).encode() + b"\n")
    return said.hexdigest()
