"""Serving the app on a loopback socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import uvicorn

from simulator.connections import Protocol

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

_GRACE_SECONDS: Final = 3


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until INT or TERM.

    Args:
        app: The app, which sets the Date header itself.
        listener: A listening socket.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server_of(app).run(sockets=[listener])


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The server, not yet running."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        date_header=False,
        server_header=False,
        access_log=False,  # it would print query strings, where Blockchair's key stands
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
