"""Asking a running server about itself."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from simulator.failures import SimulatorError
from simulator.sockets import HOST


class UnreachableError(SimulatorError):
    """Nothing that is a simulator answers on the port."""


def ask(port: int, path: str, body: dict[str, object] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
    """Call the server's own endpoints, straight on the loopback address whatever proxy the environment names.

    Args:
        port: The server's port.
        path: Below `/_simulator`.
        body: Sent as JSON with POST; GET without one.
        timeout: Seconds to wait for the answer.

    Raises:
        UnreachableError: No answer, or none of a simulator.
        SimulatorError: The server refuses; its own sentence.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout)
    try:
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        connection.request(method, f"/_simulator{path}", content)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.headers.get("X-Data-Origin") != "simulator" or not isinstance(answer, dict):
            raise ValueError("another server")  # noqa: TRY301 - the same failure as no answer
    except (OSError, HTTPException, ValueError) as error:
        raise UnreachableError(f"No simulator answers on {HOST}:{port}; start one with `simulator start`.") from error
    finally:
        connection.close()
    if "error" in answer:
        raise SimulatorError(str(answer["error"]))
    return answer
