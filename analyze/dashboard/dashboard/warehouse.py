"""Reads the warehouse as the reader's login: a small pool, short limits, and a sentence for whatever fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from dashboard.errors import DashboardError
from dashboard.settings import Settings

Row = dict[str, Any]


class Rows(list[Row]):
    """Rows of a query, and what its columns are called, also where there are none."""

    def __init__(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)


_CONNECTIONS = 4
_CONNECT_SECONDS = 3
_WAIT_SECONDS = 4.0
_STATEMENT_MILLISECONDS = 5000
_LOCK_MILLISECONDS = 2000
# Whatever role, database and environment say: the same rows and the same spelling of them.
_SESSION = (
    "-c DateStyle=ISO,MDY -c TimeZone=UTC -c extra_float_digits=1 -c search_path=analytics -c jit=off"
    " -c default_transaction_read_only=on"
    f" -c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_LOCK_MILLISECONDS}"
)
# What PostgreSQL says when it lets nobody in, by words of its message; a failed connection has no SQLSTATE.
_REFUSALS = {
    "password authentication failed": "the warehouse does not accept the password of {user}: `warehouse start` writes"
    " the right one to .env, for one of your own set WAREHOUSE_BI_READER_PASSWORD; then start the dashboard again.",
    "is not permitted to log in": "the login {user} is locked out of the warehouse: an administrator lets it in by"
    " `alter role {user} login`.",
    "too many connections for role": "the login {user} has no connection left: close reports that hold some, or raise"
    " its limit by `alter role {user} connection limit 60`.",
    "too many clients": "the warehouse accepts no more connections: close some; this page tries again by itself.",
    "starting up": "the warehouse is starting: this page tries again by itself.",
    "shutting down": "the warehouse is being stopped: `warehouse start` starts it again.",
    "does not exist": "the database {dbname} or the login {user} is not there: `warehouse init` makes both.",
    "no pg_hba.conf entry": "no line of the warehouse's pg_hba.conf lets {user} in: docs/guides/deploy.md has one.",
}
_UNREACHABLE = (
    "the warehouse does not answer at {host}:{port}: `warehouse start` starts the embedded one; of one of your own look"
    " whether it runs and can be reached from here."
)
_NOT_BUILT = (
    "the marts are not built yet: `make run` fills a local warehouse; `meltano run dbt-postgres:build` builds what is"
    " loaded."
)
_CHAIN_DOWN = (
    "the warehouse of a chain does not answer ({}): this page tries again by itself, and `warehouse unite --check` says"
    " where it should be."
)
_OTHER_RELEASE = (
    "the marts are of another release than this dashboard: `meltano invoke warehouse:migrate` brings them to this one."
)


class Warehouse:
    """A pool of connections to the warehouse."""

    def __init__(self, settings: Settings) -> None:
        self._parameters: dict[str, Any] = {
            **settings.warehouse,
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "crypto-dashboard",
            "client_encoding": "UTF8",
            "options": _SESSION,
        }
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            connection_class=psycopg.AsyncConnection[Row],
            kwargs={**self._parameters, "row_factory": dict_row},
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_WAIT_SECONDS,
            max_idle=60,
            reconnect_timeout=5,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    async def __aenter__(self) -> Self:
        """Begin to connect; a warehouse that is down is no error yet."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        await self._pool.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Reading"]:
        """Look at the warehouse as it is at one moment.

        Raises:
            DashboardError: It cannot be read; the sentence says why.
        """
        try:
            async with self._pool.connection() as connection:
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                yield Reading(connection)
        except PoolTimeout:
            raise DashboardError(await self._why_not()) from None
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            raise DashboardError(_NOT_BUILT) from None
        except errors.UndefinedColumn:
            raise DashboardError(_OTHER_RELEASE) from None
        except errors.InsufficientPrivilege:
            raise DashboardError(
                f"the login {self._parameters['user']} may not read the marts: `warehouse init` grants it."
            ) from None
        except (errors.LockNotAvailable, errors.QueryCanceled):
            raise DashboardError("the marts are being built: this page tries again by itself.") from None
        except (errors.SqlclientUnableToEstablishSqlconnection, errors.ConnectionFailure) as error:
            # Said by the warehouse itself, so it answers: it is a serving database, and lacks a chain's.
            raise DashboardError(_CHAIN_DOWN.format(error.diag.message_primary)) from None
        except psycopg.OperationalError:
            raise DashboardError(await self._why_not()) from None

    async def _why_not(self) -> str:
        """Say why there is no connection, by trying once."""
        try:
            connection = await asyncio.wait_for(
                psycopg.AsyncConnection.connect(**self._parameters), timeout=_CONNECT_SECONDS
            )
        except (psycopg.OperationalError, TimeoutError) as error:
            said = str(error)
            sentence = next((sentence for words, sentence in _REFUSALS.items() if words in said), _UNREACHABLE)
            return sentence.format(**self._parameters)
        await connection.close()
        return "the warehouse is busy: this page tries again by itself."


class Reading:
    """One look at the warehouse, in one transaction."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection

    async def ask(self, query: str, parameters: Mapping[str, object] | None = None) -> Rows:
        """The rows of a query, which is a text of this package."""
        cursor = await self._connection.execute(query.encode(), parameters)
        return Rows(await cursor.fetchall(), [column.name for column in cursor.description or ()])
