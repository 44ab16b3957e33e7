"""Serving the app on a loopback socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import uvicorn

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
    config = uvicorn.Config(
        app,
        date_header=False,
        server_header=False,
        access_log=False,  # it would print query strings, where Blockchair's key stands
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
