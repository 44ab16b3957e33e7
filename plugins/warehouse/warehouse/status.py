"""What is known of a warehouse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from warehouse.errors import WarehouseError
from warehouse.server import ADMIN, ROLES, TENANTS, Server, connect

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Status:
    """The state of a warehouse."""

    environment: str
    running: bool = False  # locally: whether its process runs
    host: str | None = None
    port: int | None = None
    database: str | None = None
    version: str | None = None
    size_bytes: int | None = None
    origin: str | None = None  # simulator or live; None before the first load
    roles: list[str] = field(default_factory=list)
    data: str | None = None
    problem: str | None = None  # why something is not known

    def as_text(self) -> str:
        """For a person, a fact a line."""
        size = None if self.size_bytes is None else f"{self.size_bytes / 1e6:,.1f} MB"
        facts = {
            "environment": self.environment,
            "running": "yes" if self.running else "no",
            "address": f"{self.host}:{self.port}" if self.port else None,
            "database": self.database,
            "PostgreSQL": self.version,
            "size": size,
            "data origin": (self.origin or "none yet") if self.version else None,
            "roles": (", ".join(self.roles) or "none yet") if self.version else None,
            "data folder": self.data,
            "problem": self.problem,
        }
        return "\n".join(f"{name:<12} {value}" for name, value in facts.items() if value)


def read_status(server: Server, data: Path | None = None) -> Status:
    """Ask a server by the first login that works; one that does not answer is reported, not raised."""
    status = Status(server.environment, server.is_local, server.host, server.port, server.database)
    status.data = str(data) if data else None
    # The transformer may read the marker, which an administrator without superuser rights may not.
    for role in (ADMIN,) if server.is_local else ("transformer", ADMIN, "loader"):
        if role not in server.logins:
            continue
        try:
            with connect(server, role) as connection:
                _ask(connection, server, status)
        except (WarehouseError, psycopg.Error) as error:
            status.problem = status.problem or str(error).splitlines()[0]
            continue
        status.running, status.problem = True, None
        break
    else:
        status.problem = status.problem or "no password of transformer, admin or loader is set"
    return status


def _ask(connection: psycopg.Connection, server: Server, status: Status) -> None:
    status.version = connection.info.parameter_status("server_version")
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    status.size_bytes = row[0] if row else None
    names = [server.name_of(role) for role in (*ROLES, *TENANTS)]
    roles = connection.execute("select rolname::text from pg_roles where rolname = any(%s)", (names,))
    status.roles = sorted(name for (name,) in roles)
    visible = connection.execute(
        """
        select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'raw_data' and c.relname = 'warehouse_origin'
          and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
        """
    ).fetchone()
    if visible:
        origin = connection.execute("select origin::text from raw_data.warehouse_origin limit 1").fetchone()
        status.origin = origin[0] if origin else None
