"""Database, schemas, roles and rights, on the embedded server or on any PostgreSQL from 15 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import errors, sql

from warehouse.errors import WarehouseError
from warehouse.rights import BUILT, LOADED, PUBLIC, SCHEMAS, Right, apply_rights, warehouse_rights
from warehouse.server import ADMIN, CONNECT_SECONDS, ROLES, TENANTS, Server, connect, missing_for
from warehouse.sessions import limit_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OLDEST = 150000
_NEEDS_SET_OPTION = 160000  # from 16 on a membership states inheriting and SET ROLE separately
_LOCK = "warehouse_init_lock"  # a schema that is never there for others to see

_TOO_POWERFUL = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")


def initialise(server: Server, say: Callable[[str], None], *, take_roles: bool = False) -> None:
    """Make database, schemas, roles and rights; what is right already stays untouched, passwords are set again.

    Roles belong to the whole server. One that another deployment or person has made is used where it lets the password
    of .env in, and else taken only with `take_roles`.

    Raises:
        WarehouseError: A connection failed, the administrator may not do something, or a role is somebody else's. Each
            database is changed in one transaction, so it is then as before.
    """
    try:
        _initialise(server, say, take_roles=take_roles)
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error).splitlines()[0]
        hint = ""
        if isinstance(error, errors.InsufficientPrivilege):
            hint = (
                f" The user {server.login(ADMIN).user} must have CREATEROLE and CREATEDB, own the database "
                f"{server.database}, and have made the roles (or hold ADMIN OPTION on them)."
            )
        raise WarehouseError(
            f"init of {server.database} at {server.host}:{server.port} failed and was rolled back: {reason}.{hint}"
        ) from None


def _initialise(server: Server, say: Callable[[str], None], *, take_roles: bool) -> None:
    tenants = [name for name in TENANTS if name in server.logins]
    for name in _missing_databases(server, (server.database, *map(server.name_of, tenants))):
        say(f"made database {name}")
    with connect(server, ADMIN) as connection:
        changes = _prepare_warehouse(connection, server, say, take_roles=take_roles)
    say(
        f"schemas {', '.join(SCHEMAS)} and roles {', '.join(map(server.name_of, ROLES))} are right"
        + (f" ({changes} changes)" if changes else "")
    )
    for name in tenants:
        with connect(server, ADMIN, server.name_of(name)) as connection:
            _prepare_tenant(connection, server, name, take_roles=take_roles)
        say(f"database and role {server.name_of(name)} are right")


def _missing_databases(server: Server, wanted: tuple[str, ...]) -> Iterator[str]:
    """Make the databases that are missing; each name is yielded when it was made."""
    try:
        with connect(server, ADMIN, "postgres", autocommit=True) as connection:
            _check_version(connection, server)
            for name in wanted:
                if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
                    # template0 allows the encoding whatever the template's is.
                    statement = sql.SQL("create database {} encoding 'UTF8' template template0")
                    try:
                        connection.execute(statement.format(sql.Identifier(name)))
                    except (errors.DuplicateDatabase, errors.UniqueViolation):
                        continue  # another `init` has made it since
                    yield name
    except WarehouseError:
        # Some hosts close the database `postgres`; then all that is needed may be there already.
        try:
            for name in wanted:
                with connect(server, ADMIN, name) as connection:
                    _check_version(connection, server)
        except WarehouseError as error:
            failure = error
        else:
            return
        raise failure from None


def _check_version(connection: psycopg.Connection, server: Server) -> None:
    if connection.info.server_version < _OLDEST:
        raise WarehouseError(
            f"{server.host}:{server.port} runs PostgreSQL {connection.info.parameter_status('server_version')}; "
            "15 or later is needed."
        )


def _let_others_wait(connection: psycopg.Connection) -> None:
    """Let no other `init` work on this database until the transaction ends.

    Before the first `init` there is no table to lock, and an advisory lock is anybody's to take. Who makes a schema of
    a name that another transaction has made waits for that one's end, though the schema is dropped again at once; and
    to make one takes a right that the administrator has and none of the roles.
    """
    name = sql.Identifier(_LOCK)
    connection.execute(sql.SQL("create schema {}").format(name))
    connection.execute(sql.SQL("drop schema {}").format(name))


def _prepare_warehouse(
    connection: psycopg.Connection, server: Server, say: Callable[[str], None], *, take_roles: bool
) -> int:
    _let_others_wait(connection)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise WarehouseError(f"The database {server.database} has the encoding {encoding}; make one with UTF8.")
    changes = sum(_ensure_role(connection, server, role, take=take_roles) for role in ROLES)
    changes += limit_sessions(connection, server, say)
    borrowed = _borrow_memberships(connection, server)
    changes += _ensure_schemas(connection, server)
    changes += apply_rights(
        connection,
        warehouse_rights(connection, server),
        # On the embedded server nobody else has business in the databases that initdb makes.
        databases=[server.database, *(["postgres", "template1"] if server.is_local else [])],
        schemas=[*SCHEMAS, "public"],
        grantees=[server.name_of(role) for role in ROLES],
    )
    for role in borrowed:
        connection.execute(sql.SQL("revoke {} from current_user").format(sql.Identifier(role)))
    return changes


def _ensure_role(connection: psycopg.Connection, server: Server, role: str, *, take: bool) -> int:
    """Make a login role, or check a present one, and set its password; returns the number of changes."""
    login = server.login(role)
    # Hashed here, so that the password stands in no statement and thus in no server log.
    verifier = connection.pgconn.encrypt_password(
        login.password.encode(), login.user.encode(), b"scram-sha-256"
    ).decode()
    columns = sql.SQL(", ").join(map(sql.Identifier, ("rolcanlogin", *_TOO_POWERFUL)))
    query = sql.SQL("select {} from pg_roles where rolname = %s").format(columns)
    found = connection.execute(query, (login.user,)).fetchone()
    name, password = sql.Identifier(login.user), sql.Literal(verifier)
    if found is None:
        connection.execute(sql.SQL("create role {} login password {}").format(name, password))
        _note_maker(connection, server, role)
        return 1
    can_login, *powers = found
    excess = [power.removeprefix("rol").upper() for power, held in zip(_TOO_POWERFUL, powers, strict=True) if held]
    if excess:
        raise WarehouseError(
            f"The role {login.user} at {server.host}:{server.port} exists with {' and '.join(excess)}, which it must "
            f"not have; take that from it (alter role {login.user} ...) or use another server, then run init again."
        )
    if not take and _is_anothers(connection, server, role):
        return 0
    connection.execute(sql.SQL("alter role {} login password {}").format(name, password))
    _note_maker(connection, server, role)
    return 0 if can_login else 1


def _is_anothers(connection: psycopg.Connection, server: Server, role: str) -> bool:
    """Whether a role that is there was made by somebody else, and lets our password in, so that nothing is to be set.

    Raises:
        WarehouseError: It is somebody else's, and does not.
    """
    if server.is_local or (maker := _maker(connection, server.name_of(role))) == _mark(server):
        return False
    if _logs_in(server, role):
        # One that an older release has made, or a person, is this deployment's from now on.
        return maker is not None
    variable = f"{role.upper()}_DB_PASSWORD" if role in TENANTS else missing_for(role)[-1]
    whose = f"by the deployment {maker!r}" if maker else "not by this deployment"
    raise WarehouseError(
        f"The role {server.name_of(role)} at {server.host}:{server.port} was made {whose} and has another password "
        f"than {variable}. No role was changed: that would lock out whoever uses it. Name the roles of this deployment "
        "apart by WAREHOUSE_ROLE_PREFIX in .env, put the password there to share the role, or run `warehouse init "
        "--take-roles` to set the password nevertheless."
    )


def _logs_in(server: Server, role: str) -> bool:
    login = server.login(role)
    try:
        psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=server.database,
            user=login.user,
            password=login.password,
            sslmode=server.sslmode,
            connect_timeout=CONNECT_SECONDS,
        ).close()
    except psycopg.OperationalError as error:
        return "permission denied for database" in str(error)  # asked after the password
    return True


def _mark(server: Server) -> str:
    return f"crypto-elt {server.database}"


def _maker(connection: psycopg.Connection, role: str) -> str | None:
    found = connection.execute("select shobj_description(%s::regrole, 'pg_authid')", (f'"{role}"',)).fetchone()
    return found[0] if found else None


def _note_maker(connection: psycopg.Connection, server: Server, role: str) -> None:
    """Note at a role which deployment sets its password."""
    name = server.name_of(role)
    if _maker(connection, name) != _mark(server):
        statement = sql.SQL("comment on role {} is {}").format(sql.Identifier(name), sql.Literal(_mark(server)))
        connection.execute(statement)


def _borrow_memberships(connection: psycopg.Connection, server: Server) -> list[str]:
    """Let an administrator who is no superuser act for the roles in this transaction; returns those to give back.

    Giving a schema to a role takes the right to SET ROLE to it; setting its default privileges and granting on its
    tables takes inheriting its rights. A CREATEROLE user may grant itself both, and keeps neither.
    """
    modern = connection.info.server_version >= _NEEDS_SET_OPTION
    borrowed = []
    for role in map(server.name_of, ("loader", "transformer")):
        modes = ["usage", "set"] if modern else ["member"]
        held = connection.execute(
            "select bool_and(pg_has_role(current_user, %s, mode)) from unnest(%s::text[]) as mode", (role, modes)
        ).fetchone()
        if held == (True,):
            continue
        options = sql.SQL(" with inherit true, set true" if modern else "")
        connection.execute(sql.SQL("grant {} to current_user{}").format(sql.Identifier(role), options))
        borrowed.append(role)
    return borrowed


def _ensure_schemas(connection: psycopg.Connection, server: Server) -> int:
    """Make the schemas and give them to their owners; returns the number of changes."""
    query = "select nspname::text, pg_get_userbyid(nspowner)::text from pg_namespace where nspname = any(%s)"
    owners: dict[str, str] = dict(connection.execute(query, (list(SCHEMAS),)).fetchall())
    administrator = connection.info.user
    changes = 0
    for schema, owner in (
        *((schema, administrator) for schema in LOADED),
        *((schema, server.name_of("transformer")) for schema in BUILT),
    ):
        if schema not in owners:
            statement = sql.SQL("create schema {} authorization {}")
        elif owners[schema] != owner:
            statement = sql.SQL("alter schema {} owner to {}")
        else:
            continue
        connection.execute(statement.format(sql.Identifier(schema), sql.Identifier(owner)))
        changes += 1
    return changes


def _prepare_tenant(connection: psycopg.Connection, server: Server, name: str, *, take_roles: bool) -> None:
    """A database of its own for a role of the same name, which makes its tables in schema ``public``."""
    _let_others_wait(connection)
    _ensure_role(connection, server, name, take=take_roles)
    name = server.name_of(name)
    wanted = {Right("database", name, "", name, privilege) for privilege in ("CONNECT", "TEMPORARY")}
    wanted |= {Right("schema", "public", "", name, privilege) for privilege in ("USAGE", "CREATE")}
    apply_rights(connection, wanted, databases=[name], schemas=["public"], grantees=[name, PUBLIC])
