"""A reading connection to an environment's warehouse."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from console.errors import ConsoleError
from console.project import Project
from console.services import command

# What role, database and environment might say otherwise of how dates and numbers are written.
_SESSION = "-c DateStyle=ISO,MDY -c TimeZone=UTC -c extra_float_digits=1 -c row_security=off -c search_path=public"


@contextmanager
def connected(project: Project, environ: Mapping[str, str], environment: str) -> "Iterator[psycopg.Connection[Any]]":
    """Connect as the role that reads all schemas.

    Raises:
        ConsoleError: The warehouse does not answer, or closed the connection; the sentence says what to do.
    """
    asked = ("url", "--role", "transformer", f"--environment={environment}")
    url = command(project, environ, "warehouse", *asked).strip()
    try:
        with psycopg.connect(url, connect_timeout=5, client_encoding="UTF8", options=_SESSION) as connection:
            yield connection
    except psycopg.OperationalError as error:
        mend = (
            "`warehouse start` starts it"
            if environment == "local"
            else f"`crypto-elt doctor --environment={environment}` says why"
        )
        raise ConsoleError(f"the warehouse does not answer ({error}); {mend}.") from error
