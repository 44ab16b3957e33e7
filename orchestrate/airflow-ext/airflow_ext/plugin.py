"""What the extension adds to Airflow's UI, found by Airflow through the entry point `airflow.plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PREFIX = "/reconciliation"


async def reconciliation(scope: Scope, receive: Receive, send: Send) -> None:
    """The page, imported with its first request: every task of Airflow loads its plugins too."""
    from airflow_ext.reconciliation import app  # noqa: PLC0415 - see above

    await app(scope, receive, send)


class CryptoElt(AirflowPlugin):
    """The warehouse's reconciliation report, behind Airflow's login."""

    name = "crypto_elt"
    fastapi_apps: list[Any] = [{"app": reconciliation, "url_prefix": PREFIX, "name": "reconciliation"}]  # noqa: RUF012 - as the base class has it
    external_views: list[Any] = [  # noqa: RUF012 - likewise
        {"name": "Reconciliation", "href": f"{PREFIX}/", "destination": "nav", "category": "browse"},
    ]
