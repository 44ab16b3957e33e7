"""The rights of the roles, as a table to compare with the server's system catalogs.

Only differences become statements: a second run finds none, and so never disturbs running loads. What a role was given
beyond the table is taken back. Members of ``bi_reader`` and all other roles are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from warehouse.server import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from warehouse.server import Server

RAW = "raw_data"
COMPARED = "raw_compared"
"""What another source says of days that RAW has; with the same rights."""
MARTS = "analytics"
BUILT = ("staging", "intermediate", MARTS, "dq")
LOADED = (RAW, COMPARED)
SCHEMAS = (*LOADED, *BUILT)
PUBLIC = "PUBLIC"


class Right(NamedTuple):
    """One privilege of one grantee on one object."""

    kind: str  # database, schema, table, or default (tables that an owner will create in a schema)
    place: str  # database or schema; of a table its schema; of a default its owner
    name: str  # the table; of a default the schema; else empty
    grantee: str  # role, or PUBLIC
    privilege: str


_ACTUAL = """
with held as (
    select 'database' as kind, d.datname::text as place, '' as name, d.datdba as owner,
           coalesce(d.datacl, acldefault('d', d.datdba)) as acl
    from pg_database d where d.datname = any(%(databases)s)
    union all
    select 'schema', n.nspname, '', n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    from pg_namespace n where n.nspname = any(%(schemas)s)
    union all
    select 'table', n.nspname, c.relname, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'v', 'm', 'p', 'f')
    union all
    select 'default', pg_get_userbyid(a.defaclrole), n.nspname, a.defaclrole, a.defaclacl
    from pg_default_acl a join pg_namespace n on n.oid = a.defaclnamespace
    where n.nspname = any(%(schemas)s) and a.defaclobjtype = 'r'
)
select kind, place, name, named.grantee, item.privilege_type
from held
cross join lateral aclexplode(acl) as item
cross join lateral (
    select case item.grantee when 0 then 'PUBLIC' else pg_get_userbyid(item.grantee)::text end as grantee
) as named
where item.grantee <> held.owner and named.grantee = any(%(grantees)s)
"""

_TABLES = """
select n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any(%s) and c.relkind in ('r', 'v', 'm', 'p', 'f')
"""


def warehouse_rights(connection: psycopg.Connection, server: Server) -> set[Right]:
    """All rights that ``PUBLIC`` and the three roles are to have, on present and on later tables."""
    loader, transformer, reader = map(server.name_of, ROLES)
    wanted = {
        Right("database", server.database, "", role, privilege)
        for role, privileges in (
            (loader, ("CONNECT", "TEMPORARY")),
            # Not CREATE: `init` makes the schemas, and dbt creates only those it does not find.
            (transformer, ("CONNECT", "TEMPORARY")),
            (reader, ("CONNECT",)),
        )
        for privilege in privileges
    }
    wanted |= {
        Right("schema", MARTS, "", reader, "USAGE"),
        Right("default", transformer, MARTS, reader, "SELECT"),
    }
    for schema in LOADED:
        wanted |= {Right("schema", schema, "", loader, privilege) for privilege in ("USAGE", "CREATE")}
        wanted |= {
            Right("schema", schema, "", transformer, "USAGE"),
            Right("default", loader, schema, transformer, "SELECT"),
        }
    readers = {**dict.fromkeys(LOADED, transformer), MARTS: reader}
    for schema, table, owner in connection.execute(_TABLES, (list(readers),)):
        if readers[schema] != owner:
            wanted.add(Right("table", schema, table, readers[schema], "SELECT"))
    return wanted


def apply_rights(
    connection: psycopg.Connection,
    wanted: set[Right],
    *,
    databases: Iterable[str],
    schemas: Iterable[str],
    grantees: Iterable[str],
) -> int:
    """Grant what is missing and revoke what is too much, inside a transaction; returns the number of changes."""
    scope = {"databases": list(databases), "schemas": list(schemas), "grantees": [PUBLIC, *grantees]}
    actual = {Right(*row) for row in connection.execute(_ACTUAL, scope)}
    for right in sorted(actual - wanted):
        connection.execute(_statement(right, "revoke", "from"))
    for right in sorted(wanted - actual):
        connection.execute(_statement(right, "grant", "to"))
    return len(actual ^ wanted)


def _statement(right: Right, verb: str, preposition: str) -> sql.Composed:
    who = sql.SQL("public") if right.grantee == PUBLIC else sql.Identifier(right.grantee)
    # The word comes from this module or from PostgreSQL's own list of privileges, so it is no foreign text.
    what = sql.SQL(right.privilege)
    head = sql.Composed([])
    if right.kind == "default":
        head = sql.SQL("alter default privileges for role {} in schema {} ").format(
            sql.Identifier(right.place), sql.Identifier(right.name)
        )
        target = sql.Composed([sql.SQL("tables")])
    else:
        parts = (right.place, right.name) if right.kind == "table" else (right.place,)
        target = sql.SQL("{} {}").format(sql.SQL(right.kind), sql.Identifier(*parts))
    return sql.SQL("{}{} {} on {} {} {}").format(head, sql.SQL(verb), what, target, sql.SQL(preposition), who)
